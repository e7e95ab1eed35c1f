import { createHash } from "node:crypto"
import { join } from "node:path"
import Database from "better-sqlite3"
import * as oauth from "oauth4webapi"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClient } from "../../client/index.ts"
import { paymentGrantType, tokenExchangeGrantType, tokenTypes } from "../../shared/oauth/messages.ts"
import { acceptedOf } from "../support/payments.ts"
import { createProofKey, type ProofKey, proofOf, withProof } from "../support/proofs.ts"
import {
  offer,
  openService,
  postToken,
  preparePurchase,
  type TestService,
  watch,
} from "../support/service.ts"
import { spawnSecond } from "../support/spawn-service.ts"

const seconds = () => Math.floor(Date.now() / 1000)
const secret = "n0t-guessable-0123456789"
let service: TestService
/** Another process of the same service. */
let other: Awaited<ReturnType<typeof spawnSecond>>

beforeAll(async () => {
  service = await openService({
    config: {
      offers: [
        offer("hour", "movies:read", "0.01"),
        { ...offer("vault", "movies:write", "0.02"), dpop: "required" },
      ],
      whitelist: [
        {
          clientId: "billing",
          secretSha256: createHash("sha256").update(secret).digest("hex"),
          scope: "movies:read",
        },
      ],
      introspection: [{ clientId: "api", secretSha256: createHash("sha256").update(secret).digest("hex") }],
    },
  })
  other = await spawnSecond(service.config)
})
afterAll(async () => {
  await other.kill("SIGTERM")
  await service.close()
})

const atToken = (key: ProofKey, headers: Record<string, string>, body?: string) =>
  withProof(
    (proof) => postToken(service.url, { ...headers, dpop: proof }, body),
    (nonce) => proofOf(key, { method: "POST", url: `${service.url}/token`, at: seconds(), nonce }),
  )
const buy = async (key: ProofKey) => {
  const purchase = await preparePurchase(service, await service.customer())
  return { purchase, answer: await atToken(key, purchase.headers) }
}
/** The rows of used proofs in the service's books. */
const usedKeys = () => {
  const books = new Database(join(service.folder, "ticket402.db"), { readonly: true })
  const rows = books.prepare("SELECT used FROM used_keys ORDER BY id").all()
  books.close()
  return rows
}
const form = { "content-type": "application/x-www-form-urlencoded" }
const refreshBody = (token: string) =>
  new URLSearchParams({ grant_type: "refresh_token", refresh_token: token }).toString()
const watchWithProof = async (url: string, token: string, proof: string) => {
  const response = await fetch(`${url}/movies/1`, {
    headers: { authorization: `DPoP ${token}`, dpop: proof },
  })
  await response.arrayBuffer()
  return response
}

describe("a token bound to a key (DPoP)", () => {
  it("works with another OAuth client, from discovery to refresh with nonces", async () => {
    const insecure = { [oauth.allowInsecureRequests]: true }
    const issuer = new URL(service.url)
    const as = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }),
    )
    expect(as.dpop_signing_alg_values_supported).toEqual(["ES256", "EdDSA"])
    const client: oauth.Client = { client_id: "agent" }
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"))
    const withNonceRetry = async <T>(work: () => Promise<T>): Promise<T> => {
      try {
        return await work()
      } catch (error) {
        if (!oauth.isDPoPNonceError(error)) throw error
        return work()
      }
    }
    const { headers } = await preparePurchase(service, await service.customer())
    const options = { DPoP, headers: new Headers(headers), ...insecure }
    const bought = await withNonceRetry(async () =>
      oauth.processGenericTokenEndpointResponse(
        as,
        client,
        await oauth.genericTokenEndpointRequest(as, client, oauth.None(), paymentGrantType, {}, options),
      ),
    )
    expect(bought.token_type).toBe("dpop")
    const use = (token: string) =>
      withNonceRetry(() =>
        oauth.protectedResourceRequest(
          token,
          "GET",
          new URL("/movies/7?page=2", issuer),
          new Headers(),
          null,
          { DPoP, ...insecure },
        ),
      )
    expect(await (await use(bought.access_token)).json()).toEqual({ id: "7" })
    const next = await withNonceRetry(async () =>
      oauth.processRefreshTokenResponse(
        as,
        client,
        await oauth.refreshTokenGrantRequest(as, client, oauth.None(), bought.refresh_token ?? "", {
          DPoP,
          ...insecure,
        }),
      ),
    )
    expect((await use(next.access_token)).status).toBe(200)
  })

  it("TOK-14, TOK-16: is refused as Bearer, without a proof and by another key", async () => {
    const key = await createProofKey()
    const { answer } = await buy(key)
    expect(answer).toMatchObject({ status: 200, body: { token_type: "DPoP" } })
    const token = answer.body.access_token
    const asBearer = await watch(service.url, token)
    expect(asBearer).toMatchObject({ status: 401, body: { error: "invalid_token", reason: "dpop_missing" } })
    expect(asBearer.headers.get("www-authenticate")).toMatch(
      /^DPoP .*error="invalid_token".*algs="ES256 EdDSA"/,
    )
    expect(asBearer.headers.get("payment-required")).toBeNull()
    const thief = await createProofKey()
    const prove = (by: ProofKey) => (nonce?: string) =>
      proofOf(by, { url: `${service.url}/movies/1`, token, at: seconds(), nonce })
    const stolen = await withProof((proof) => watchWithProof(service.url, token, proof), prove(thief))
    expect(stolen.status).toBe(401)
    expect(stolen.headers.get("www-authenticate")).toContain('error="invalid_dpop_proof"')
    expect((await withProof((proof) => watchWithProof(service.url, token, proof), prove(key))).status).toBe(
      200,
    )
    expect(
      (await fetch(`${service.url}/token/status`, { headers: { authorization: `Bearer ${token}` } })).status,
    ).toBe(401)
    const introspected = await fetch(`${service.url}/introspect`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`api:${secret}`).toString("base64")}` },
      body: new URLSearchParams({ token }),
    })
    expect(await introspected.json()).toMatchObject({
      active: true,
      token_type: "DPoP",
      cnf: { jkt: key.thumbprint },
    })
  })

  it("N-9449-5, N-9449-6: shares nonces between processes and takes a proof once", async () => {
    const key = await createProofKey()
    const token = (await buy(key)).answer.body.access_token
    const prove = (nonce?: string) =>
      proofOf(key, { url: `${service.url}/movies/1`, token, at: seconds(), nonce })
    const asked = await watchWithProof(other.url, token, await prove())
    expect(asked.status).toBe(401)
    expect(asked.headers.get("www-authenticate")).toContain('error="use_dpop_nonce"')
    const proof = await prove(asked.headers.get("dpop-nonce") ?? "")
    const answers = await Promise.all(
      [service.url, other.url, service.url, other.url].map((url) => watchWithProof(url, token, proof)),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401])
  })

  it("RPL-25: is refreshed with its key only, and once per proof at /token", async () => {
    const key = await createProofKey()
    const { answer, purchase } = await buy(key)
    const token = answer.body.refresh_token
    const reasons = async (by: ProofKey | undefined, headers: Record<string, string> = form) =>
      (by
        ? await atToken(by, headers, refreshBody(token))
        : await postToken(service.url, headers, refreshBody(token))
      ).body.reason
    // Neither attempt ends the grant or uses the refresh token, even with the purchase secret.
    expect(await reasons(undefined)).toBe("dpop_key_mismatch")
    expect(await reasons(await createProofKey(), { ...form, "ticket402-secret": purchase.secret })).toBe(
      "dpop_key_mismatch",
    )
    let sent = ""
    const first = await withProof(
      (proof) => {
        sent = proof
        return postToken(service.url, { ...form, dpop: proof }, refreshBody(token))
      },
      (nonce) => proofOf(key, { method: "POST", url: `${service.url}/token`, at: seconds(), nonce }),
    )
    expect(first).toMatchObject({ status: 200, body: { token_type: "DPoP" } })
    const replayed = await postToken(other.url, { ...form, dpop: sent }, refreshBody(token))
    expect(replayed).toMatchObject({ status: 400, body: { error: "invalid_dpop_proof" } })
    // A lost answer is repeated for a new proof by the key.
    expect((await atToken(key, form, refreshBody(token))).headers.get("idempotent-replayed")).toBe("true")
  })

  it("N-9449-6, DOS-09: stores none of the proofs of 400 junk refreshes", async () => {
    const key = await createProofKey()
    const token = (await buy(key)).answer.body.refresh_token
    const thief = await createProofKey()
    const terms = { method: "POST", url: `${service.url}/token` }
    const refusedNonce = await postToken(
      service.url,
      { ...form, dpop: await proofOf(key, { ...terms, at: seconds() }) },
      refreshBody("of.nobody"),
    )
    const nonce = refusedNonce.headers.get("dpop-nonce") ?? ""
    const before = usedKeys()
    for (let n = 0; n < 400; n += 1) {
      const [by, shown, reason] =
        n % 2 === 0 ? [key, "of.nobody", "refresh_token_invalid"] : [thief, token, "dpop_key_mismatch"]
      const proof = await proofOf(by as ProofKey, { ...terms, at: seconds(), nonce })
      const { body } = await postToken(service.url, { ...form, dpop: proof }, refreshBody(shown))
      expect(body.reason).toBe(reason)
    }
    expect(usedKeys()).toEqual(before)
  })

  it("keeps its proof unused while the store is away: 503 at the gate and the token endpoint", async () => {
    const key = await createProofKey()
    const { access_token: token, refresh_token: refreshToken } = (await buy(key)).answer.body
    const terms = { method: "POST", url: `${service.url}/token`, at: seconds() }
    const { headers } = await postToken(
      service.url,
      { ...form, dpop: await proofOf(key, terms) },
      refreshBody("of.nobody"),
    )
    const nonce = headers.get("dpop-nonce") ?? ""
    const atEndpoint = await proofOf(key, { ...terms, nonce })
    const atGate = await proofOf(key, { url: `${service.url}/movies/1`, token, at: seconds(), nonce })
    const renew = () => postToken(service.url, { ...form, dpop: atEndpoint }, refreshBody(refreshToken))
    const enter = () =>
      fetch(`${service.url}/movies/1`, { headers: { authorization: `DPoP ${token}`, dpop: atGate } })
    const lock = new Database(join(service.folder, "ticket402.db"))
    lock.exec("BEGIN IMMEDIATE")
    try {
      const [refused, closed] = await Promise.all([renew(), enter()])
      expect(refused).toMatchObject({ status: 503, body: { reason: "store_unavailable" } })
      expect(closed.status).toBe(503)
      const text = JSON.stringify(refused.body) + (await closed.text())
      expect(text).toContain("gate_unavailable")
      for (const secretText of [token, refreshToken, atEndpoint, atGate, key.thumbprint, service.folder])
        expect(text).not.toContain(secretText)
    } finally {
      lock.exec("ROLLBACK")
      lock.close()
    }
    expect((await enter()).status).toBe(200)
    expect((await renew()).status).toBe(200)
  })

  it("says how far a proof is from this server's clock", async () => {
    const key = await createProofKey()
    const purchase = await preparePurchase(service, await service.customer())
    const sayOf = async (offset: number) => {
      const proof = await proofOf(key, {
        method: "POST",
        url: `${service.url}/token`,
        at: seconds() + offset,
      })
      const { body } = await postToken(service.url, { ...purchase.headers, dpop: proof })
      expect(body.reason).toBe("dpop_proof_invalid")
      return body.error_description
    }
    expect(await sayOf(-300)).toMatch(/iat is 30[01] s behind the clock of this server; 60 s are allowed\.$/)
    expect(await sayOf(300)).toMatch(
      /iat is (300|299) s ahead of the clock of this server; 60 s are allowed\.$/,
    )
  })

  it("RPL-25: is given once per proof by every grant type", async () => {
    const key = await createProofKey()
    const { answer, purchase } = await buy(key)
    const exchange = new URLSearchParams({
      grant_type: tokenExchangeGrantType,
      subject_token: answer.body.access_token,
      subject_token_type: tokenTypes.access,
    }).toString()
    const basic = { ...form, authorization: `Basic ${Buffer.from(`billing:${secret}`).toString("base64")}` }
    const other = await preparePurchase(service, await service.customer())
    const requests: Record<string, [headers: Record<string, string>, body?: string]> = {
      "another purchase": [other.headers],
      "a repeated purchase": [purchase.headers],
      "token exchange": [form, exchange],
      "client credentials": [basic, "grant_type=client_credentials"],
      refresh: [form, refreshBody(answer.body.refresh_token)],
    }
    for (const [name, [headers, body]] of Object.entries(requests)) {
      let sent = ""
      const first = await withProof(
        (proof) => {
          sent = proof
          return postToken(service.url, { ...headers, dpop: proof }, body)
        },
        (nonce) => proofOf(key, { method: "POST", url: `${service.url}/token`, at: seconds(), nonce }),
      )
      expect(first.status, name).toBe(200)
      const replayed = await postToken(service.url, { ...headers, dpop: sent }, body)
      expect(replayed, name).toMatchObject({ status: 400, body: { reason: "dpop_proof_invalid" } })
    }
  })

  it("may come from the client credentials grant", async () => {
    const key = await createProofKey()
    const basic = { ...form, authorization: `Basic ${Buffer.from(`billing:${secret}`).toString("base64")}` }
    const { body } = await atToken(key, basic, "grant_type=client_credentials")
    expect(body).toMatchObject({ token_type: "DPoP" })
    expect(body.refresh_token).toBe(undefined)
  })

  it("is required where the offer says so, and nothing is redeemed without it", async () => {
    const vault = service.issuer.config.offers[1]!
    const { body } = await postToken(service.url, {})
    const { offers } = body.extensions["access-token"].info
    expect(offers[vault.ref].dpop).toBe("required")
    const purchase = await preparePurchase(service, await service.customer(), { accepted: acceptedOf(vault) })
    expect(await postToken(service.url, purchase.headers)).toMatchObject({
      status: 400,
      body: { reason: "dpop_required", next: { action: "fix" } },
    })
    expect((await atToken(await createProofKey(), purchase.headers)).status).toBe(200)
  })
})

describe("the client library", () => {
  const clientFor = async (dpop: boolean, seen: Request[]) =>
    createClient({
      account: await service.customer(),
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: ["eip155:11155111"],
      dpop,
      fetch: (input, init) => {
        seen.push(new Request(input, init))
        return fetch(input, init)
      },
    })
  const schemes = (seen: readonly Request[]) =>
    seen.map(({ headers }) => headers.get("authorization")?.split(" ")[0])

  it("binds its purchases when configured and reuses a nonce", async () => {
    const seen: Request[] = []
    const client = await clientFor(true, seen)
    expect((await client.fetch(`${service.url}/movies/1`)).status).toBe(200)
    expect((await client.fetch(`${service.url}/movies/2`)).status).toBe(200)
    // A 402; the purchase, twice because of its nonce; then the two calls.
    expect(schemes(seen)).toEqual([undefined, undefined, undefined, "DPoP", "DPoP"])
    const token = seen.at(-1)?.headers.get("authorization")?.slice(5)
    expect((await watch(service.url, token)).status).toBe(401)
  })

  it("binds a purchase where the offer requires it, and only there", async () => {
    const seen: Request[] = []
    const client = await clientFor(false, seen)
    expect((await client.fetch(`${service.url}/movies/1`)).status).toBe(200)
    expect((await client.fetch(`${service.url}/movies`, { method: "POST" })).status).toBe(201)
    expect(schemes(seen).filter((scheme) => scheme !== undefined)).toEqual(["Bearer", "Bearer", "DPoP"])
  })
})
