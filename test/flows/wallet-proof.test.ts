import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClient } from "../../client/index.ts"
import { walletProof } from "../../shared/oauth/wallet-proof.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { type Account, randomAccount } from "../support/payments.ts"
import { type Answer, openService, postToken, type TestService, watch } from "../support/service.ts"
import { spawnMate } from "../support/spawn-service.ts"

const staff = randomAccount()
let service: TestService
let other: Awaited<ReturnType<typeof spawnMate>>
let time = Math.floor(Date.now() / 1000)

beforeAll(async () => {
  service = await openService({
    issuer: { now: () => time },
    config: { whitelist: [{ address: staff.address, scope: "movies:read movies:list" }] },
  })
  other = await spawnMate(service.config)
})
afterAll(async () => {
  await other.kill("SIGTERM")
  await service.close()
})

const form = { "content-type": "application/x-www-form-urlencoded" }
const nonceFrom = async (url = service.url): Promise<string> =>
  (await (await fetch(`${url}/token/nonce`, { method: "POST" })).json()).nonce
type Terms = { nonce: string; signer?: Account; audience?: string; issuer?: string; account?: Hex }
async function proofOf({ nonce, signer = staff, ...terms }: Terms): Promise<Record<string, string>> {
  const { account = signer.address, issuer = service.url, audience = service.url } = terms
  const signature = await signer.signTypedData(walletProof({ account, issuer, audience, nonce }))
  return { account, nonce, signature }
}
const show = (proof: Record<string, string>, url = service.url): Promise<Answer> =>
  postToken(url, form, new URLSearchParams({ grant_type: "urn:ticket402:wallet-proof", ...proof }).toString())
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString())

describe("a wallet proof", () => {
  it("lets a listed address in without a payment, with the scope of its entry or less", async () => {
    const { status, body } = await show(await proofOf({ nonce: await nonceFrom() }))
    expect({ status, scope: body.scope, refresh: body.refresh_token }).toEqual({
      status: 200,
      scope: "movies:read movies:list",
      refresh: undefined,
    })
    expect(claimsOf(body.access_token)).toMatchObject({
      sub: `eip155:11155111:${staff.address.toLowerCase()}`,
      paid: false,
      settled: true,
    })
    expect((await watch(service.url, body.access_token)).status).toBe(200)
    const less = await show({ ...(await proofOf({ nonce: await nonceFrom() })), scope: "movies:list" })
    expect(less.body.scope).toBe("movies:list")
    const more = await show({ ...(await proofOf({ nonce: await nonceFrom() })), scope: "movies:write" })
    expect(more.body.error).toBe("invalid_scope")
  })

  it("RPL-25, WL-05: is taken once by one of all processes, for this service, and for two minutes", async () => {
    const proof = await proofOf({ nonce: await nonceFrom(other.url) })
    const answers = await Promise.all(
      [service.url, other.url, service.url, other.url].map((url) => show(proof, url)),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400])
    for (const terms of [{ audience: "https://other.example" }, { issuer: "https://other.example" }])
      expect((await show(await proofOf({ nonce: await nonceFrom(), ...terms }))).body.reason).toBe(
        "wallet_proof_refused",
      )
    const late = await proofOf({ nonce: await nonceFrom() })
    time += 120
    expect((await show(late)).body.reason).toBe("wallet_proof_refused")
    time -= 120
  })

  it("WL-06: is a statement of its own and no other signature, in one spelling", async () => {
    const nonce = await nonceFrom()
    const proof = await proofOf({ nonce })
    const statement = walletProof({
      account: staff.address,
      issuer: service.url,
      audience: service.url,
      nonce,
    })
    const { signature = "" } = proof
    const other: Record<string, string> = {
      text: await staff.signMessage({ message: JSON.stringify(statement.message) }),
      domain: await staff.signTypedData({ ...statement, domain: { name: "another", version: "1" } }),
      purpose: await staff.signTypedData({
        ...statement,
        message: { ...statement.message, purpose: "Log in" },
      }),
      v: signature.replace(/1b$|1c$/, (v) => (v === "1b" ? "00" : "01")),
      short: signature.slice(0, -2),
    }
    for (const [name, each] of Object.entries(other))
      expect((await show({ ...proof, signature: each })).body.reason, name).toBe("wallet_proof_refused")
    expect((await show(proof)).status).toBe(200)
  })

  it("WL-01, WL-13: says the same to a stranger, a wrong signature and a made-up nonce", async () => {
    const stranger = randomAccount()
    const nonce = await nonceFrom()
    const answers = [
      await show(await proofOf({ nonce, signer: stranger })),
      await show(await proofOf({ nonce, signer: stranger, account: staff.address })),
      await show(await proofOf({ nonce: `${nonce.slice(0, -1)}_` })),
      await show(await proofOf({ nonce: "1" })),
    ]
    for (const { status, body } of answers)
      expect({ status, body }).toEqual({ status: 400, body: answers[0]!.body })
    expect((await show({ account: staff.address })).body.reason).toBe("malformed")
  })

  it("is what the client library prefers when told to, and buying what it falls back to", async () => {
    const visit = async (account: Account) => {
      const limits = { perPurchase: "0.05", perDay: "1.00" }
      const client = createClient({
        account,
        budget: limits,
        networks: ["eip155:11155111"],
        walletProof: true,
      })
      const statuses = [
        (await client.fetch(`${service.url}/movies/1`)).status,
        (await client.fetch(`${service.url}/movies/2`)).status,
      ]
      return {
        statuses,
        settlement: (await client.grants())[0]?.settlement,
        spent: (await client.spent()).day,
      }
    }
    expect(await visit(staff)).toEqual({ statuses: [200, 200], settlement: "none", spent: "0" })
    const payer = await service.customer()
    expect(await visit(payer)).toMatchObject({ statuses: [200, 200], settlement: "pending", spent: "0.01" })
  })

  it("is announced with the place its nonces come from", async () => {
    const answer = await fetch(`${service.url}/.well-known/oauth-authorization-server`)
    expect(await answer.json()).toMatchObject({
      grant_types_supported: expect.arrayContaining(["urn:ticket402:wallet-proof"]),
      wallet_nonce_endpoint: `${service.url}/token/nonce`,
    })
  })
})
