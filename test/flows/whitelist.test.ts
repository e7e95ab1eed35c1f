import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClient } from "../../client/index.ts"
import type { Logger } from "../../server/ports/runtime.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { randomAccount, signPayment } from "../support/payments.ts"
import {
  type Answer,
  lifeOf,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
const staff = randomAccount()
/** Listed in upper case and with two scopes. */
const auditor = randomAccount()
const secret = "s:p c+r%e/t ä 8Qm2vX"
const clientId = "billing.service-1"
const logged: string[] = []
const logLine = (fields: Record<string, unknown>, message: string) => {
  logged.push(
    `${message} ${JSON.stringify(fields, (_, value) => (typeof value === "bigint" ? `${value}` : value))}`,
  )
}
const log: Logger = { debug: logLine, info: logLine, warn: logLine, error: logLine }

let service: TestService
beforeAll(async () => {
  service = await openService({
    issuer: { log },
    config: {
      whitelist: [
        { address: staff.address, scope: "movies:read" },
        { address: `0x${auditor.address.slice(2).toUpperCase()}`, scope: "movies:read movies:list" },
        { clientId, secretSha256: sha256(secret), scope: "movies:read movies:write" },
      ],
    },
  })
})
afterAll(() => service.close())

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString())
const basic = (id: string, password: string): Record<string, string> => {
  const form = (text: string) => new URLSearchParams({ _: text }).toString().slice(2)
  return { authorization: `Basic ${Buffer.from(`${form(id)}:${form(password)}`).toString("base64")}` }
}
const asClient = (headers: Record<string, string>, body: Record<string, string> = {}): Promise<Answer> =>
  postToken(
    service.url,
    { "content-type": "application/x-www-form-urlencoded", ...headers },
    new URLSearchParams({ grant_type: "client_credentials", ...body }).toString(),
  )
/** An answer without its date. */
const shapeOf = ({ status, headers, body }: Answer) => ({
  status,
  body,
  headers: Object.fromEntries([...headers].filter(([name]) => name !== "date")),
})

describe("a whitelisted address", () => {
  it("WL-10: pays nothing and gets a token of its entry's scope, marked unpaid", async () => {
    const purchase = await preparePurchase(service, auditor)
    const before = await service.balanceOf(service.payTo.address)
    const { status, headers, body } = await postToken(service.url, purchase.headers)
    expect({
      status,
      settlement: body.grant?.settlement,
      life: lifeOf(body),
      scope: body.scope,
    }).toEqual({
      status: 200,
      settlement: { state: "none" },
      life: 300,
      scope: "movies:read movies:list",
    })
    expect(headers.get("payment-response")).toBeNull()
    expect(claimsOf(body.access_token)).toMatchObject({
      paid: false,
      settled: true,
      scope: "movies:read movies:list",
    })
    expect((await watch(service.url, body.access_token)).status).toBe(200)
    const more = await refresh(service.url, body.refresh_token)
    expect(more).toMatchObject({ status: 200, body: { grant: { settlement: { state: "none" } } } })
    expect(claimsOf(more.body.access_token).paid).toBe(false)
    expect(await service.balanceOf(service.payTo.address)).toBe(before)
  })

  it("leaves no signature in database or logs, and no settlement", async () => {
    const purchase = await preparePurchase(service, staff)
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    const signature = purchase.transfer.signature.slice(2)
    // Control: the search does find the signature of a payment that is settled.
    const paying = await preparePurchase(service, await service.customer())
    expect((await postToken(service.url, paying.headers)).status).toBe(200)
    const files = (await readdir(service.folder)).filter((name) => name.startsWith("ticket402.db"))
    const bytes = Buffer.concat(await Promise.all(files.map((name) => readFile(join(service.folder, name)))))
    const holds = (hex: string) => bytes.includes(hex) || bytes.includes(Buffer.from(hex, "hex"))
    expect(holds(paying.transfer.signature.slice(2))).toBe(true)
    for (const part of [signature, signature.slice(0, 64), signature.slice(64, 128)]) {
      expect(holds(part)).toBe(false)
      expect(logged.join("\n").toLowerCase()).not.toContain(part)
    }
    expect(logged.join("\n")).toContain("payer admitted")
  })

  it("WL-01: needs its own signature, not its name or another's signature", async () => {
    const json = { "content-type": "application/json" }
    const claim = { grant_type: "urn:ticket402:payment", payer: staff.address, address: staff.address }
    expect((await postToken(service.url, json, JSON.stringify(claim))).status).toBe(400)
    const forged = await preparePurchase(service, randomAccount(), {
      terms: { payer: staff.address.toLowerCase() as `0x${string}` },
    })
    expect((await postToken(service.url, forged.headers)).body.reason).toBe("signature_invalid")
    expect((await asClient({}, { client_id: staff.address, client_secret: "" })).body.error).toBe(
      "invalid_client",
    )
    const open = { "x-payer": staff.address, from: staff.address }
    expect((await postToken(service.url, open)).status).toBe(402)
  })

  it("WL-06: is proven by typed data for this purpose only, never by a text", async () => {
    const purchase = await preparePurchase(service, staff)
    const { payload } = purchase.payload as { payload: { authorization: Record<string, string> } }
    for (const message of ["Sign in to cinema.example", JSON.stringify(payload.authorization)]) {
      const signature = await staff.signMessage({ message })
      const header = encodeHeader({ ...purchase.payload, payload: { ...payload, signature } })
      const answer = await postToken(service.url, { ...purchase.headers, [paymentSignatureHeader]: header })
      expect(answer.body.reason).toBe("signature_invalid")
    }
  })

  it("pays like others without a commitment or outside its entry's scope", async () => {
    const { payload } = await signPayment({ accepted: service.accepted, account: staff })
    const plain = { [paymentSignatureHeader]: encodeHeader(payload) }
    expect((await postToken(service.url, plain)).body.reason).toBe("insufficient_funds")
    const studio = (await (await fetch(`${service.url}/token?offer=studio`, { method: "POST" })).json()) as {
      accepts: [typeof service.accepted]
    }
    const studioPurchase = await preparePurchase({ url: service.url, accepted: studio.accepts[0] }, staff)
    expect((await postToken(service.url, studioPurchase.headers)).body.reason).toBe("insufficient_funds")
  })

  it("WL-05: redeems a payment once, for this service, while it is valid", async () => {
    const purchase = await preparePurchase(service, staff)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => postToken(service.url, purchase.headers)),
    )
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, ...Array(19).fill(409)])
    const retried = await postToken(service.url, retryHeaders(purchase))
    expect(retried.headers.get("idempotent-replayed")).toBe("true")
    expect(retried.body.grant.settlement).toEqual({ state: "none" })
    const elsewhere = await preparePurchase(service, staff, { resource: "https://other.example" })
    expect((await postToken(service.url, elsewhere.headers)).body.reason).toBe("commitment_mismatch")
    const now = Math.floor(Date.now() / 1000)
    const stale = await preparePurchase(service, staff, { terms: { validBefore: BigInt(now - 1) } })
    expect((await postToken(service.url, stale.headers)).body.reason).toBe("validity_too_short")
  })

  it("WL-08: is refused while it has code", async () => {
    const { chain } = service
    await chain.request("anvil_setCode", [auditor.address, "0x00"])
    const purchase = await preparePurchase(service, auditor)
    expect((await postToken(service.url, purchase.headers)).body.reason).toBe("payer_unacceptable")
    await chain.request("anvil_setCode", [auditor.address, "0x"])
  })

  it("WL-13, WL-14: cannot be recognised by refusals, and no answer shows the list", async () => {
    const unlisted = randomAccount()
    const outcomes = async (account: typeof staff) => {
      const wrong = await preparePurchase(service, account, { terms: { value: 1n } })
      const forged = await preparePurchase(service, randomAccount(), {
        terms: { payer: account.address.toLowerCase() as `0x${string}` },
      })
      const answers = [
        await postToken(service.url, wrong.headers),
        await postToken(service.url, forged.headers),
      ]
      return answers.map(shapeOf)
    }
    expect(await outcomes(staff)).toEqual(await outcomes(unlisted))
    const texts = [
      ...(await outcomes(staff)),
      shapeOf(await asClient(basic(clientId, "wrong"))),
      shapeOf(await watch(service.url)),
    ].map((each) => JSON.stringify(each).toLowerCase())
    for (const listed of [auditor.address.toLowerCase(), staff.address.toLowerCase(), sha256(secret)])
      expect(texts.join("\n")).not.toContain(listed)
  })

  it("uses the client library without money", async () => {
    const client = createClient({
      account: staff,
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: ["eip155:11155111"],
    })
    const responses = await Promise.all([1, 2, 3].map((id) => client.fetch(`${service.url}/movies/${id}`)))
    expect(responses.map((response) => response.status)).toEqual([200, 200, 200])
    expect(await client.grants()).toMatchObject([{ settlement: "none", scope: "movies:read" }])
    expect((await client.spent()).day).toBe("0.01")
    expect(await service.balanceOf(staff.address)).toBe(0n)
  })
})

describe("client credentials", () => {
  it("N-6749: get a token by Basic or by body, without a refresh token", async () => {
    for (const answer of [
      await asClient(basic(clientId, secret)),
      await asClient({}, { client_id: clientId, client_secret: secret }),
    ]) {
      expect(answer.status).toBe(200)
      expect(answer.headers.get("cache-control")).toBe("no-store")
      const { body } = answer
      expect(body).toMatchObject({ token_type: "Bearer", scope: "movies:read movies:write" })
      expect(lifeOf(body)).toBe(300)
      expect(body.refresh_token).toBeUndefined()
      expect(claimsOf(body.access_token)).toMatchObject({
        sub: clientId,
        client_id: clientId,
        paid: false,
        settled: true,
        scope: "movies:read movies:write",
      })
      expect((await watch(service.url, body.access_token)).status).toBe(200)
    }
  })

  it("WL-10: get the requested scope within the entry's scope", async () => {
    const narrow = await asClient(basic(clientId, secret), { scope: "movies:read" })
    expect(narrow.body.scope).toBe("movies:read")
    const write = await fetch(`${service.url}/movies`, {
      method: "POST",
      headers: { authorization: `Bearer ${narrow.body.access_token}` },
    })
    expect(write.status).toBe(402)
    for (const scope of ["admin", "movies:read admin", "", "movies:read  movies:write", "MOVIES:READ"])
      expect(await asClient(basic(clientId, secret), { scope }), scope).toMatchObject({
        status: 400,
        body: { error: "invalid_scope", next: { action: "fix" } },
      })
  })

  it("WL-13: fail alike for an unknown client and a wrong secret", async () => {
    const { authorization = "" } = basic(clientId, secret)
    const refused = [
      await asClient(basic(clientId, "wrong")),
      await asClient(basic("nobody", secret)),
      await asClient(basic(clientId, "")),
      await asClient({}, { client_id: clientId, client_secret: `${secret} ` }),
      await asClient({}, { client_id: "nobody", client_secret: secret }),
      await asClient({}, { client_id: clientId }),
      await asClient({}),
      await asClient({ authorization: "Basic !" }),
      await asClient({ authorization: `Basic ${Buffer.from("%zz:%zz").toString("base64")}` }),
      await asClient({ authorization: `Bearer ${authorization.slice(6)}` }),
      await asClient({ authorization: `${authorization}, ${authorization}` }),
    ].map(shapeOf)
    for (const answer of refused) expect(answer).toEqual(refused[0])
    expect(refused[0]).toMatchObject({
      status: 401,
      headers: { "www-authenticate": 'Basic realm="token", charset="UTF-8"', "cache-control": "no-store" },
      body: { error: "invalid_client", next: { action: "fix" } },
    })
    expect(logged.join("\n")).not.toContain(secret)
  })

  it("N-6749: are refused when sent in two ways or twice", async () => {
    const both = await asClient(basic(clientId, secret), { client_id: clientId, client_secret: secret })
    expect(both).toMatchObject({ status: 400, body: { error: "invalid_request" } })
    const twice = await postToken(
      service.url,
      { "content-type": "application/x-www-form-urlencoded", ...basic(clientId, secret) },
      "grant_type=client_credentials&scope=movies:read&scope=movies:write",
    )
    expect(twice).toMatchObject({ status: 400, body: { error: "invalid_request" } })
  })

  it("WL-04: cannot be replaced by headers that claim an internal origin", async () => {
    const inside = {
      "x-forwarded-for": "127.0.0.1",
      "x-original-url": "/",
      "x-internal-auth": "1",
      "x-client-id": clientId,
      forwarded: "for=127.0.0.1;host=localhost",
    }
    expect((await postToken(service.url, inside)).status).toBe(402)
    expect((await asClient(inside, { client_id: clientId, client_secret: "wrong" })).status).toBe(401)
    expect((await fetch(`${service.url}/movies/1`, { headers: inside })).status).toBe(402)
  })

  it("are announced in the metadata", async () => {
    const metadata = await (await fetch(`${service.url}/.well-known/oauth-authorization-server`)).json()
    expect(metadata).toMatchObject({
      grant_types_supported: expect.arrayContaining(["client_credentials", "refresh_token"]),
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
    })
  })
})
