import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { exportJWK, SignJWT } from "jose"
import { beforeAll, beforeEach, describe, expect, it } from "vitest"
import { claimsOf } from "../../../server/core/claims.ts"
import { openGrant } from "../../../server/core/grant.ts"
import { createGate, type GateRequest } from "../../../server/gate/gate.ts"
import { createProofCheck } from "../../../server/gate/proof-check.ts"
import { openKeys, verifyProof } from "../../../server/keys/index.ts"
import type { Keys } from "../../../server/ports/keys.ts"
import type { Store } from "../../../server/ports/store.ts"
import { openStore } from "../../../server/stores/index.ts"
import { readProofAddress, requestAddress } from "../../../shared/oauth/dpop.ts"
import { gateRefusals } from "../../../shared/refusals.ts"
import { createProofKey, type ProofKey, type ProofTerms, proofOf } from "../../support/proofs.ts"

const resource = "https://cinema.example"
const url = `${resource}/movies/1`
const start = 1_800_000_000
let time = start
let keys: Keys
let store: Store
let key: ProofKey
let token: string
let bearer: string

const tokenFor = (keyThumbprint: string | null) =>
  keys.sign(
    claimsOf(
      openGrant({
        id: "grant",
        offer: "hour@00000000",
        scope: "movies:read",
        subject: "eip155:1:0xabc",
        paid: true,
        startsAt: start,
        expiresAt: start + 3600,
        opening: null,
        idempotencyHash: null,
        keyThumbprint,
        resource: null,
        meter: null,
        token: { jti: "j", issuedAt: start, expiresAt: start + 600, settled: true },
      }),
      { issuer: resource, resource },
    ),
  )

beforeAll(async () => {
  keys = await openKeys(join(await mkdtemp(join(tmpdir(), "dpop-")), "keys"), { now: () => start })
  key = await createProofKey()
  token = await tokenFor(key.thumbprint)
  bearer = await tokenFor(null)
})
beforeEach(async () => {
  time = start
  store = await openStore("memory:")
})

/** Opens a gate with state of its own on the shared store. */
function newGate({ nonces = false, requestsPerToken = 1000 } = {}) {
  const feed = { age: () => 0 }
  const now = () => time
  return createGate(
    {
      keys,
      keyFeed: feed,
      revocations: { ...feed, reasonFor: () => undefined },
      whitelist: { ...feed, find: () => undefined },
      metering: { spend: async () => "exhausted" as const },
      checkProof: createProofCheck({ verify: verifyProof, keys, store, now }, { nonces }),
      now,
    },
    { issuer: resource, resource, requestsPerToken },
  )
}
const requestWith = (dpop: readonly string[], changes: Partial<GateRequest> = {}): GateRequest => ({
  authorization: [`DPoP ${token}`],
  dpop,
  method: "GET",
  path: "/movies/1",
  payment: false,
  queryToken: false,
  scope: "movies:read",
  cost: 1,
  ...changes,
})
const proof = (terms: Partial<ProofTerms> = {}, by = key) => proofOf(by, { url, token, at: time, ...terms })
const reasonOf = async (request: GateRequest, gate = newGate()) => {
  const verdict = await gate(request)
  return verdict.kind === "pass" ? "pass" : verdict.reason
}

describe("a bound token", () => {
  it("passes with a proof by its key, ECDSA or EdDSA", async () => {
    expect(await reasonOf(requestWith([await proof()]))).toBe("pass")
    expect(await reasonOf(requestWith([await proof()], { authorization: [`dpop ${token}`] }))).toBe("pass")
    const edwards = await createProofKey("EdDSA")
    const other = await tokenFor(edwards.thumbprint)
    for (const alg of ["EdDSA", "Ed25519"]) {
      const sentProof = await proofOf({ ...edwards, alg }, { url, token: other, at: time })
      expect(await reasonOf(requestWith([sentProof], { authorization: [`DPoP ${other}`] })), alg).toBe("pass")
    }
  })

  it("N-9449-1: needs exactly one dpop+jwt, signed by the public key it names", async () => {
    const good = await proof()
    const otherKey = await createProofKey()
    const secret = new TextEncoder().encode("0123456789abcdef0123456789abcdef")
    const { privateKey } = key
    const rsa = await createProofKey("RS256")
    const wrong: Record<string, readonly string[]> = {
      none: [],
      two: [good, await proof()],
      "a list": [`${good}, ${good}`],
      "another typ": [await proof({ header: { typ: "JWT" } })],
      "no typ": [await proof({ header: { typ: undefined } })],
      "a private key": [await proof({ header: { jwk: await exportJWK(privateKey) } })],
      "another's key": [await proof({ header: { jwk: otherKey.jwk } })],
      "no key": [await proof({ header: { jwk: undefined } })],
      "an RSA key": [await proof({}, rsa)],
      "a symmetric key": [
        await new SignJWT({ jti: "j", htm: "GET", htu: url, iat: time })
          .setProtectedHeader({ typ: "dpop+jwt", alg: "HS256", jwk: { kty: "oct" } })
          .sign(secret),
      ],
      "a critical extension": [await proof({ header: { b64: true, crit: ["b64"] } })],
      "another signature": [good.replace(/[^.]*$/, (await proof()).split(".")[2] ?? "")],
      "no signature": [good.replace(/[^.]*$/, "")],
      "no jti": [await proof({ claims: { jti: undefined } })],
      "a long jti": [await proof({ jti: "j".repeat(257) })],
      "an iat that is text": [await proof({ claims: { iat: String(time) } })],
      "our access token": [token],
    }
    for (const [name, dpop] of Object.entries(wrong))
      expect(await reasonOf(requestWith(dpop)), name).toBe("dpop_proof_invalid")
    expect(gateRefusals.dpop_proof_invalid.status).toBe(401)
    expect(await reasonOf(requestWith([good]))).toBe("pass")
  })

  it("N-9449-2: needs a proof for this method, this address and this minute", async () => {
    const wrong = {
      "another method": { method: "POST" },
      "another path": { url: `${resource}/movies/2` },
      "a path below": { url: `${url}/` },
      "another host": { url: "https://evil.example/movies/1" },
      "another port": { url: "https://cinema.example:8443/movies/1" },
      "another scheme": { url: "http://cinema.example/movies/1" },
      "no URL": { url: "/movies/1" },
      "too early": { at: time - 61 },
      "too late": { at: time + 61 },
    }
    for (const [name, terms] of Object.entries(wrong))
      expect(await reasonOf(requestWith([await proof(terms)])), name).toBe("dpop_proof_invalid")
    const good = {
      "with a query": { url: `${url}?page=2#top` },
      "in upper case": { url: "HTTPS://CINEMA.example:443/movies/1" },
      "with unneeded escapes": { url: `${resource}/%6dovies/%31` },
      "a minute early": { at: time - 60 },
      "a minute late": { at: time + 60 },
    }
    for (const [name, terms] of Object.entries(good))
      expect(await reasonOf(requestWith([await proof(terms)])), name).toBe("pass")
  })

  it("compares normalised addresses without resolving dot segments", () => {
    const at = (path: string, base = resource) => requestAddress(base, path)
    expect(at("/a%2fb%7E")).toBe(readProofAddress(`${resource}/a%2Fb~?q`))
    expect(at("/a/../b")).not.toBe(readProofAddress(`${resource}/b`))
    expect(at("/a/%2e%2e/b")).not.toBe(readProofAddress(`${resource}/b`))
    expect(at("//evil.example/x")).toBe(`${resource}//evil.example/x`)
    // With the resource's own path, or without it behind a proxy that strips it.
    expect(at("/v1/movies", `${resource}/v1`)).toBe(`${resource}/v1/movies`)
    expect(at("/movies", `${resource}/v1`)).toBe(`${resource}/v1/movies`)
    expect(at("/v10", `${resource}/v1`)).toBe(`${resource}/v1/v10`)
  })

  it("N-9449-3: needs a proof with its hash, by the key it is bound to", async () => {
    const otherKey = await createProofKey()
    const otherToken = await tokenFor(otherKey.thumbprint)
    expect(await reasonOf(requestWith([await proof({ token: undefined })]))).toBe("dpop_proof_invalid")
    expect(await reasonOf(requestWith([await proof({ token: otherToken })]))).toBe("dpop_proof_invalid")
    expect(await reasonOf(requestWith([await proof({}, otherKey)]))).toBe("dpop_proof_invalid")
  })

  it("N-9449-4, TOK-16: is refused as Bearer, and an unbound token as DPoP", async () => {
    const dpop = [await proof()]
    expect(await reasonOf(requestWith(dpop, { authorization: [`Bearer ${token}`] }))).toBe("dpop_missing")
    expect(gateRefusals.dpop_missing.status).toBe(401)
    expect(await reasonOf(requestWith(dpop, { authorization: [`DPoP ${bearer}`] }))).toBe("dpop_unbound")
    expect(await reasonOf(requestWith([], { authorization: [`Bearer ${bearer}`] }))).toBe("pass")
  })

  it("TOK-14: is useless to a thief without the key, even with a used proof", async () => {
    const used = await proof()
    expect(await reasonOf(requestWith([used]))).toBe("pass")
    const thief = await createProofKey()
    for (const dpop of [
      [],
      [used],
      [await proof({}, thief)],
      [await proof({ header: { jwk: key.jwk } }, thief)],
    ])
      expect(await reasonOf(requestWith(dpop))).toBe("dpop_proof_invalid")
  })

  it("N-9449-5: needs a fresh nonce when nonces are on, and gets the next in time", async () => {
    const gate = newGate({ nonces: true })
    const first = await gate(requestWith([await proof()]))
    expect(first).toMatchObject({
      kind: "refuse",
      reason: "dpop_nonce_wanted",
      dpopNonce: expect.any(String),
    })
    const { dpopNonce: nonce } = first
    expect(await gate(requestWith([await proof({ nonce })]))).toMatchObject({ kind: "pass" })
    expect(await reasonOf(requestWith([await proof({ nonce: `${nonce?.slice(0, -1)}_` })]), gate)).toBe(
      "dpop_nonce_wanted",
    )
    time += 60
    const late = await gate(requestWith([await proof({ nonce })]))
    expect(late).toMatchObject({ kind: "pass", dpopNonce: expect.any(String) })
    expect(late.dpopNonce).not.toBe(nonce)
    time += 60
    expect(await reasonOf(requestWith([await proof({ nonce })]), gate)).toBe("dpop_nonce_wanted")
    expect(await reasonOf(requestWith([await proof({ nonce: late.dpopNonce })]), gate)).toBe("pass")
  })

  it("N-9449-6, RPL-25: passes once per proof across gates until the proof expires", async () => {
    const [here, there] = [newGate(), newGate()]
    const sentProof = await proof({ jti: "once", at: time + 60 })
    const answers = await Promise.all(
      [here, there, here, there].map((gate) => reasonOf(requestWith([sentProof]), gate)),
    )
    expect(answers.filter((answer) => answer === "pass")).toHaveLength(1)
    time += 120
    expect(await reasonOf(requestWith([sentProof]), there)).toBe("dpop_proof_invalid")
    // The same jti at another address is another proof.
    const elsewhere = await proof({ jti: "once", url: `${resource}/movies/2` })
    expect(await reasonOf(requestWith([elsewhere], { path: "/movies/2" }))).toBe("pass")
  })

  it("N-9449-6, DOS-09: uses up no proof beyond the calls of its token", async () => {
    const gate = newGate({ requestsPerToken: 2 })
    const proofs = await Promise.all([proof(), proof(), proof()])
    const reasons: string[] = []
    for (const each of proofs) reasons.push(await reasonOf(requestWith([each]), gate))
    expect(reasons).toEqual(["pass", "pass", "too_many_requests"])
    expect(await reasonOf(requestWith(proofs.slice(2)))).toBe("pass")
  })

  it("keeps its proof unused when the request is refused for another reason", async () => {
    const sentProof = await proof()
    expect(await reasonOf(requestWith([sentProof], { scope: "movies:write" }))).toBe("insufficient_scope")
    expect(await reasonOf(requestWith([sentProof]))).toBe("pass")
  })
})
