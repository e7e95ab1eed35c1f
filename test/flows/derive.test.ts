import { createHash } from "node:crypto"
import { decodeJwt } from "jose"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClient, createVerifier, type Verifier } from "../../client/index.ts"
import { tokenExchangeGrantType, tokenTypes } from "../../shared/oauth/messages.ts"
import { checkLedger } from "../support/invariants.ts"
import { createProofKey, type ProofKey, proofOf, withProof } from "../support/proofs.ts"
import {
  type Answer,
  eventually,
  offer,
  openService,
  postToken,
  preparePurchase,
  type TestService,
  watch,
} from "../support/service.ts"

const secret = "b7Qm0tVx2LzY9rKd"
let service: TestService
let verifier: Verifier

beforeAll(async () => {
  service = await openService({
    config: {
      offers: [
        { ...offer("season", "movies:read movies:write", "0.01"), calls: 20 },
        offer("hour", "movies:read", "0.02"),
      ],
      introspection: [{ clientId: "api", secretSha256: createHash("sha256").update(secret).digest("hex") }],
    },
  })
  verifier = createVerifier({ issuer: service.url })
})
afterAll(async () => {
  verifier.close()
  await service.close()
})

async function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(`${service.url}${path}`, {
    method: "POST",
    headers,
    body: new URLSearchParams(form),
  })
  const text = await response.text()
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) }
}
const buy = async () =>
  (await postToken(service.url, (await preparePurchase(service, await service.customer())).headers)).body
const exchange = (form: Record<string, string>, headers: Record<string, string> = {}) =>
  post("/token", { grant_type: tokenExchangeGrantType, ...form }, headers)
const derive = (bought: { access_token: string }, form: Record<string, string> = {}) =>
  exchange({ subject_token: bought.access_token, subject_token_type: tokenTypes.access, ...form })
const introspect = async (token: string) =>
  (
    await post(
      "/introspect",
      { token },
      { authorization: `Basic ${Buffer.from(`api:${secret}`).toString("base64")}` },
    )
  ).body
const verify = async (token: string) => {
  const verdict = await verifier.check(`Bearer ${token}`, "movies:read")
  return verdict.kind === "pass" ? "pass" : verdict.reason
}

describe("a derived token", () => {
  it("N-8693-2: opens exactly its scope and units and describes itself", async () => {
    const bought = await buy()
    const { status, body } = await derive(bought, { scope: "movies:read", units: "2", expires_in: "30" })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      issued_token_type: tokenTypes.access,
      token_type: "Bearer",
      scope: "movies:read",
      grant: { calls_remaining: 2 },
    })
    expect(body.expires_in).toBeLessThanOrEqual(30)
    expect(body.refresh_token).toBeUndefined()
    const claims = decodeJwt(body.access_token)
    expect(claims).toMatchObject({ parent: bought.grant.id, sub: decodeJwt(bought.access_token).sub })

    const write = await fetch(`${service.url}/movies`, {
      method: "POST",
      headers: { authorization: `Bearer ${body.access_token}` },
    })
    expect(write.status).toBe(402)
    expect(await watch(service.url, body.access_token)).toMatchObject({ status: 200 })
    expect(await watch(service.url, body.access_token)).toMatchObject({ status: 200 })
    expect(await watch(service.url, body.access_token)).toMatchObject({
      status: 402,
      body: { error: "token_exhausted" },
    })
    await eventually(
      async () => (await introspect(bought.access_token)).grant.calls_remaining,
      (left) => left === 18,
    )
    const foreign = { resource: "https://other.example" }
    expect(await derive(bought, foreign)).toMatchObject({ status: 400, body: { error: "invalid_target" } })
    expect(await derive(bought, { audience: "other" })).toMatchObject({ body: { error: "invalid_target" } })
    expect(await derive(bought, { resource: service.url })).toMatchObject({ status: 200 })
  })

  it("N-8693-1: needs a complete request with a token of this service", async () => {
    const bought = await buy()
    for (const form of [
      { subject_token: bought.access_token },
      { subject_token_type: tokenTypes.access },
      { subject_token: bought.access_token, subject_token_type: "urn:ietf:params:oauth:token-type:jwt" },
      { subject_token: "a.b.c", subject_token_type: tokenTypes.access },
      { subject_token: "nonsense", subject_token_type: tokenTypes.refresh },
    ])
      expect(await exchange(form)).toMatchObject({ status: 400, body: { error: "invalid_request" } })
    const wrong = [
      { units: "0" },
      { units: "1.5" },
      { expires_in: "3601" },
      { expires_in: "-1" },
      { actor_token: "x" },
      { requested_token_type: tokenTypes.refresh },
      { dpop_jkt: "short" },
    ]
    for (const form of wrong)
      expect(await derive(bought, form), JSON.stringify(form)).toMatchObject({
        status: 400,
        body: { error: "invalid_request" },
      })
    expect(await derive(bought, { scope: "movies:read admin" })).toMatchObject({
      body: { error: "invalid_scope" },
    })
    expect(await derive(bought, { scope: 'movies"' })).toMatchObject({ body: { error: "invalid_scope" } })
  })

  it("outlives its access token only with the refresh token", async () => {
    const bought = await buy()
    const short = await derive(bought, { expires_in: "3600" })
    expect(decodeJwt(short.body.access_token).exp).toBe(decodeJwt(bought.access_token).exp)
    const long = await exchange({
      subject_token: bought.refresh_token,
      subject_token_type: tokenTypes.refresh,
      expires_in: "500",
    })
    expect(long.body.expires_in).toBeGreaterThan(490)
    expect(await derive(short.body)).toMatchObject({ status: 400, body: { reason: "token_derived" } })
  })

  it("ends with its parent within 5 s at gates, introspection and verifiers", async () => {
    const bought = await buy()
    const child = (await derive(bought)).body.access_token
    expect(await watch(service.url, child)).toMatchObject({ status: 200 })
    expect(await introspect(child)).toMatchObject({ active: true, parent: bought.grant.id })
    await post("/revoke", { token: bought.refresh_token })
    const from = performance.now()
    await eventually(
      async () => [(await watch(service.url, child)).status, await introspect(child), await verify(child)],
      (seen) => JSON.stringify(seen) === JSON.stringify([401, { active: false }, "token_revoked"]),
    )
    expect((performance.now() - from) / 1000).toBeLessThan(5)
    expect(await derive(bought)).toMatchObject({ status: 400, body: { reason: "grant_revoked" } })
    expect(await checkLedger(`${service.folder}/ticket402.db`)).toEqual([])
  })

  it("TOK-14: of a bound token needs the key, and is bound to it or to a named key", async () => {
    const [own, other] = [await createProofKey(), await createProofKey()]
    const proven = (key: ProofKey, headers: Record<string, string>, body?: string) =>
      withProof(
        (dpop) => postToken(service.url, { ...headers, dpop }, body),
        (nonce) =>
          proofOf(key, {
            method: "POST",
            url: `${service.url}/token`,
            at: Math.floor(Date.now() / 1000),
            nonce,
          }),
      )
    const purchase = await preparePurchase(service, await service.customer())
    const bought = (await proven(own, purchase.headers)).body
    expect(await derive(bought)).toMatchObject({ status: 400, body: { reason: "dpop_key_mismatch" } })
    const ask = (key: ProofKey, form: Record<string, string> = {}) =>
      proven(
        key,
        { "content-type": "application/x-www-form-urlencoded" },
        new URLSearchParams({
          grant_type: tokenExchangeGrantType,
          subject_token: bought.access_token,
          subject_token_type: tokenTypes.access,
          ...form,
        }).toString(),
      )
    expect(await ask(other)).toMatchObject({ status: 400, body: { reason: "dpop_key_mismatch" } })
    const [kept, handed] = [await ask(own), await ask(own, { dpop_jkt: other.thumbprint })]
    const boundTo = ({ body }: Answer) => (decodeJwt(body.access_token).cnf as { jkt: string }).jkt
    expect([boundTo(kept), boundTo(handed)]).toEqual([own.thumbprint, other.thumbprint])
    expect(kept.body).toMatchObject({ token_type: "DPoP" })
    expect(kept.body.refresh_token).toBeUndefined()
  })

  it("is requested by the client for a held grant", async () => {
    const client = createClient({
      account: await service.customer(),
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: [service.accepted.network],
      dpop: true,
    })
    const url = `${service.url}/movies/1`
    await expect(client.derive(url)).rejects.toMatchObject({ code: "grant_missing" })
    await client.fetch(url)
    const { thumbprint: keyThumbprint } = await createProofKey()
    const request = { scope: "movies:read", calls: 3, seconds: 120, keyThumbprint }
    const token = await client.derive(url, request)
    expect(token).toMatchObject({ tokenType: "DPoP", scope: "movies:read", calls: 3 })
    expect(decodeJwt(token.accessToken)).toMatchObject({ cnf: { jkt: keyThumbprint } })
    expect((decodeJwt(token.accessToken).exp ?? 0) - Date.now() / 1000).toBeGreaterThan(100)
    await expect(client.derive(url, { scope: "admin" })).rejects.toMatchObject({
      code: "derive_refused",
      reason: "invalid_scope",
    })
  })

  it("reveals no payment", async () => {
    const child = (await derive(await buy())).body.access_token
    const receipt = await fetch(`${service.url}/token/receipt`, {
      headers: { authorization: `Bearer ${child}` },
    })
    expect(receipt.status).toBe(404)
  })
})
