import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClient } from "../../client/index.ts"
import { walletProof } from "../../shared/oauth/wallet-proof.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { type Account, randomAccount } from "../support/payments.ts"
import { type Answer, openService, postToken, type TestService, watch } from "../support/service.ts"
import { spawnSecond } from "../support/spawn-service.ts"

const staff = randomAccount()
let service: TestService
let other: Awaited<ReturnType<typeof spawnSecond>>
let time = Math.floor(Date.now() / 1000)

beforeAll(async () => {
  service = await openService({
    issuer: { now: () => time },
    config: { whitelist: [{ address: staff.address, scope: "movies:read movies:list" }] },
  })
  other = await spawnSecond(service.config)
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
const send = (proof: Record<string, string>, url = service.url): Promise<Answer> =>
  postToken(url, form, new URLSearchParams({ grant_type: "urn:ticket402:wallet-proof", ...proof }).toString())
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString())

describe("a wallet proof", () => {
  it("gives a listed address a free token with its entry's scope or less", async () => {
    const { status, body } = await send(await proofOf({ nonce: await nonceFrom() }))
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
    const less = await send({ ...(await proofOf({ nonce: await nonceFrom() })), scope: "movies:list" })
    expect(less.body.scope).toBe("movies:list")
    const more = await send({ ...(await proofOf({ nonce: await nonceFrom() })), scope: "movies:write" })
    expect(more.body.error).toBe("invalid_scope")
  })

  it("RPL-25, WL-05: is accepted once among all processes, here, for two minutes", async () => {
    const proof = await proofOf({ nonce: await nonceFrom(other.url) })
    const answers = await Promise.all(
      [service.url, other.url, service.url, other.url].map((url) => send(proof, url)),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400])
    for (const terms of [{ audience: "https://other.example" }, { issuer: "https://other.example" }])
      expect((await send(await proofOf({ nonce: await nonceFrom(), ...terms }))).body.reason).toBe(
        "wallet_proof_refused",
      )
    const late = await proofOf({ nonce: await nonceFrom() })
    time += 120
    expect((await send(late)).body.reason).toBe("wallet_proof_refused")
    time -= 120
  })

  it("WL-06: is accepted as its own typed data in one spelling only", async () => {
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
      expect((await send({ ...proof, signature: each })).body.reason, name).toBe("wallet_proof_refused")
    expect((await send(proof)).status).toBe(200)
  })

  it("WL-01, WL-13: gets the same refusal for any wrong signer or nonce", async () => {
    const unlisted = randomAccount()
    const nonce = await nonceFrom()
    const answers = [
      await send(await proofOf({ nonce, signer: unlisted })),
      await send(await proofOf({ nonce, signer: unlisted, account: staff.address })),
      await send(await proofOf({ nonce: `${nonce.slice(0, -1)}_` })),
      await send(await proofOf({ nonce: "1" })),
    ]
    for (const { status, body } of answers)
      expect({ status, body }).toEqual({ status: 400, body: answers[0]!.body })
    expect((await send({ account: staff.address })).body.reason).toBe("malformed")
  })

  it("is preferred by the client when configured, with buying as fallback", async () => {
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

  it("is announced in the metadata with its nonce endpoint", async () => {
    const answer = await fetch(`${service.url}/.well-known/oauth-authorization-server`)
    expect(await answer.json()).toMatchObject({
      grant_types_supported: expect.arrayContaining(["urn:ticket402:wallet-proof"]),
      wallet_nonce_endpoint: `${service.url}/token/nonce`,
    })
  })
})
