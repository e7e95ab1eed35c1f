import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { importJWK, type JSONWebKeySet, type JWK, SignJWT } from "jose"
import { privateKeyToAccount } from "viem/accounts"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { receipt as receiptCommand } from "../../client/cli/receipt.ts"
import { createClient, verifyReceipt } from "../../client/index.ts"
import { createFileStore } from "../../client/node/index.ts"
import { openKeys } from "../../server/keys/index.ts"
import { createKeyMaintenance } from "../../server/keys/key-maintenance.ts"
import { createRingFile } from "../../server/keys/ring-file.ts"
import { secretHeader } from "../../shared/oauth/messages.ts"
import { receiptType } from "../../shared/oauth/receipt.ts"
import { agentHome, runHere } from "../support/cli.ts"
import { readRing } from "../support/key-folder.ts"
import { randomAccount } from "../support/payments.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  type TestService,
  watch,
} from "../support/service.ts"

const staff = randomAccount()
let service: TestService
let keyFolder: string
let purchase: Awaited<ReturnType<typeof preparePurchase>>
let token: string
let receipt: string
let published: JSONWebKeySet

async function read(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${service.url}${path}`, { headers })
  return { status: response.status, body: await response.json() }
}
const receiptFor = (secret: string) => read("/token/receipt", { [secretHeader]: secret })
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "accepted",
    (error) => error.code,
  )

beforeAll(async () => {
  service = await openService({ config: { whitelist: [{ address: staff.address, scope: "movies:read" }] } })
  keyFolder = String(service.config.keys)
  purchase = await preparePurchase(service, await service.customer())
  const bought = await postToken(service.url, purchase.headers)
  expect(bought).toMatchObject({ status: 200 })
  token = bought.body.access_token
  const answer = await eventually(
    () => receiptFor(purchase.secret),
    ({ status }) => status === 200,
  )
  receipt = answer.body.receipt
  const { body: metadata } = await read("/.well-known/oauth-authorization-server")
  published = await (await fetch(metadata.receipt_jwks_uri)).json()
})
afterAll(() => service.close())

describe("a receipt", () => {
  it("names payer, payee, amount and Transfer, and verifies offline", async () => {
    const content = await verifyReceipt(receipt, published, service.url)
    const { transfer } = purchase
    expect(content).toEqual({
      iss: service.url,
      iat: expect.any(Number),
      sub: `eip155:11155111:${transfer.payer}`,
      grant: expect.any(String),
      offer: service.accepted.extra?.offer,
      payment: {
        network: "eip155:11155111",
        asset: service.chain.asset.toLowerCase(),
        payer: transfer.payer,
        pay_to: service.payTo.address.toLowerCase(),
        amount: "10000",
        transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
        log_index: expect.any(Number),
        settled_at: expect.any(Number),
      },
    })
    const mined = (await service.chain.request("eth_getTransactionReceipt", [
      content.payment.transaction,
    ])) as {
      logs: { logIndex: string; address: string; topics: string[] }[]
    }
    const log = mined.logs.find(({ logIndex }) => Number(logIndex) === content.payment.log_index)
    expect(log?.address.toLowerCase()).toBe(content.payment.asset)
    expect(log?.topics[1]).toContain(transfer.payer.slice(2))
    // The ordinary key set verifies it too while it contains the key.
    expect(await verifyReceipt(receipt, (await read("/.well-known/jwks.json")).body, service.url)).toEqual(
      content,
    )
  })

  it("is returned to the grant's owner once a payment has settled", async () => {
    expect((await read("/token/receipt", { authorization: `Bearer ${token}` })).status).toBe(200)
    expect(await read("/token/receipt")).toMatchObject({ status: 401, body: { reason: "proof_missing" } })
    expect(await receiptFor("ab".repeat(32))).toMatchObject({
      status: 404,
      body: { reason: "grant_unknown" },
    })
    const free = await preparePurchase(service, staff)
    await postToken(service.url, free.headers)
    expect(await receiptFor(free.secret)).toMatchObject({
      status: 404,
      body: { reason: "receipt_none", next: { action: "stop" } },
    })
    const early = await preparePurchase(service, await service.customer())
    await service.chain.request("evm_setAutomine", [false])
    expect((await postToken(service.url, early.headers)).status).toBe(200)
    expect(await receiptFor(early.secret)).toMatchObject({
      status: 409,
      body: { reason: "receipt_pending", next: { action: "retry" } },
    })
    await service.chain.request("evm_setAutomine", [true])
    await service.chain.request("evm_mine", [])
  })

  it("N-8725-6: is no token, and a token is no receipt", async () => {
    expect((await watch(service.url, receipt)).status).toBe(401)
    expect(await code(verifyReceipt(token, published, service.url))).toBe("receipt_invalid")
    // Not even a JWT of the same key with another type.
    const { id, jwk } = (await readRing(keyFolder)).access[0]!
    const content = await verifyReceipt(receipt, published, service.url)
    const sign = async (typ: string) =>
      new SignJWT(content)
        .setProtectedHeader({ alg: "ES256", typ, kid: id })
        .sign(await importJWK(jwk as JWK, "ES256"))
    expect(await code(verifyReceipt(await sign(receiptType), published, service.url))).toBe("accepted")
    for (const typ of ["at+jwt", "JWT", "quote+jwt"])
      expect(await code(verifyReceipt(await sign(typ), published, service.url)), typ).toBe("receipt_invalid")
  })

  it("is refused when altered, of another issuer or without its key", async () => {
    const [header, payload, signature] = receipt.split(".") as [string, string, string]
    const content = JSON.parse(Buffer.from(payload, "base64url").toString())
    content.payment.amount = "1000000"
    const forged = `${header}.${Buffer.from(JSON.stringify(content)).toString("base64url")}.${signature}`
    expect(await code(verifyReceipt(forged, published, service.url))).toBe("receipt_invalid")
    expect(await code(verifyReceipt(receipt, published, "https://other.example"))).toBe("receipt_invalid")
    expect(await code(verifyReceipt(receipt, { keys: [] }, service.url))).toBe("receipt_invalid")
    const other = published.keys.map((key) => ({ ...key, alg: "EdDSA" }))
    expect(await code(verifyReceipt(receipt, { keys: other }, service.url))).toBe("receipt_invalid")
    expect(await code(verifyReceipt("a.b.c", published, service.url))).toBe("receipt_invalid")
  })

  it("is fetched and verified by the client and its command", async () => {
    const folder = await mkdtemp(join(tmpdir(), "receipt-"))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const agent = await agentHome(folder)
    await service.chain.mint(agent.address, 10_000n)
    const { home, passwordFile } = agent
    const url = `${service.url}/movies/7`
    const store = await createFileStore({ file: join(home, "client.db") })
    const client = createClient({
      account: privateKeyToAccount(agent.key),
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: ["sepolia"],
      store,
    })
    expect(await code(client.receipt(url))).toBe("grant_missing")
    await service.chain.request("evm_setAutomine", [false])
    expect((await client.fetch(url)).status).toBe(200)
    const early = await client.receipt(url).catch((error: unknown) => error)
    expect(early).toMatchObject({ code: "receipt_unavailable", reason: "receipt_pending", action: "retry" })
    await service.chain.request("evm_setAutomine", [true])
    await service.chain.request("evm_mine")
    const { content, signed } = await eventually(
      () => client.receipt(url).catch(() => ({ content: undefined, signed: "" })),
      (found) => found.content !== undefined,
    )
    expect(content?.payment.payer).toBe(agent.address)
    expect(await verifyReceipt(signed, published, service.url)).toEqual(content)
    store.close()
    const printed = await runHere((terminal) => receiptCommand(url, { home, passwordFile }, terminal))
    expect([printed.code, printed.stderr]).toEqual([0, ""])
    expect(JSON.parse(printed.stdout.toString())).toMatchObject({
      iss: service.url,
      payment: content?.payment,
    })
  })

  it("verifies after its key was retired and not after its removal", async () => {
    let time = Math.floor(Date.now() / 1000)
    const now = () => time
    const maintenance = createKeyMaintenance(createRingFile(keyFolder), { algorithm: "ES256", now })
    for (let day = 0; day < 2; day++) {
      time += 86_400
      await maintenance.rotate()
    }
    const keys = await openKeys(keyFolder, { now })
    const kid = JSON.parse(Buffer.from(receipt.split(".")[0]!, "base64url").toString()).kid
    expect(keys.jwks().keys.map((key) => key.kid)).not.toContain(kid)
    expect(
      await verifyReceipt(receipt, keys.receiptJwks() as unknown as JSONWebKeySet, service.url),
    ).toBeDefined()
    expect(await keys.verify(token)).toBeUndefined()
    await maintenance.remove(kid)
    await keys.refresh()
    const left = keys.receiptJwks() as unknown as JSONWebKeySet
    expect(await code(verifyReceipt(receipt, left, service.url))).toBe("receipt_invalid")
  })
})
