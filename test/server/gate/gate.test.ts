import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { base64url, generateKeyPair, importJWK, type JWK, SignJWT } from "jose"
import { beforeAll, describe, expect, it, vi } from "vitest"
import { claimsOf } from "../../../server/core/claims.ts"
import { openGrant } from "../../../server/core/grant.ts"
import type { WhitelistEntry } from "../../../server/core/whitelist.ts"
import { createGate, type GateRequest } from "../../../server/gate/gate.ts"
import type { CheckProof } from "../../../server/gate/proof-check.ts"
import { openKeys } from "../../../server/keys/index.ts"
import type { Keys } from "../../../server/ports/keys.ts"
import type { Claims } from "../../../shared/oauth/access-token.ts"
import type { GrantEnd } from "../../../shared/oauth/revocation.ts"
import { gateRefusals } from "../../../shared/refusals.ts"
import { readRing } from "../../support/key-folder.ts"

const issuer = "https://cinema.example"
const now = 1_800_000_000
let keys: Keys
let foreign: Keys
let folder: string
let time = now
let ended: Record<string, GrantEnd> = {}
let feedAge = 0

const revocations = {
  reasonFor: ({ grant }: Pick<Claims, "grant">) => ended[grant],
  age: () => feedAge,
  refresh: async () => {},
  start: () => {},
  stop: async () => {},
}
let listed: Record<string, WhitelistEntry> = {}
let listAge = 0
let keyAge = 0
const whitelist = {
  ...revocations,
  age: () => listAge,
  find: (subject: string, issuedAt: number) => {
    const entry = listed[subject]
    return entry && entry.listedAt <= issuedAt ? entry : undefined
  },
}
const metering = { spend: async () => "exhausted" as const }
const checkProof: CheckProof = async () => ({ kind: "unproven", why: "these tests accept no proof" })
const newGate = () =>
  createGate(
    { keys, keyFeed: { age: () => keyAge }, revocations, whitelist, checkProof, metering, now: () => time },
    { issuer, resource: issuer, requestsPerToken: 100 },
  )

const grant = openGrant({
  id: "grant",
  offer: "hour@00000000",
  scope: "movies:read movies:list",
  subject: "eip155:1:0xabc",
  paid: true,
  startsAt: now,
  expiresAt: now + 3600,
  opening: null,
  idempotencyHash: null,
  meter: null,
  keyThumbprint: null,
  resource: null,
  token: { jti: "j", issuedAt: now, expiresAt: now + 300, settled: true },
})
const claims: Claims = claimsOf(grant, { issuer, resource: issuer })
const requestWith = (authorization: readonly string[], changes: Partial<GateRequest> = {}): GateRequest => ({
  authorization,
  payment: false,
  queryToken: false,
  dpop: [],
  method: "GET",
  path: "/movies/1",
  scope: "movies:read",
  cost: 1,
  ...changes,
})
const reasonOf = async (token: string, gate = newGate()) => {
  const verdict = await gate(requestWith([`Bearer ${token}`]))
  return verdict.kind === "pass" ? "pass" : verdict.reason
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gate-"))
  keys = await openKeys(join(folder, "ours"))
  foreign = await openKeys(join(folder, "foreign"))
})

describe("the gate", () => {
  it("passes a valid token with its claims", async () => {
    const verdict = await newGate()(requestWith([`Bearer ${await keys.sign(claims)}`]))
    expect(verdict).toEqual({ kind: "pass", claims, charge: null })
  })

  it("N-6750-2: matches the scheme in any case", async () => {
    const token = await keys.sign(claims)
    for (const scheme of ["bearer", "BEARER", "BeArEr "])
      expect((await newGate()(requestWith([`${scheme} ${token}`]))).kind, scheme).toBe("pass")
  })

  it("refuses a request without a token, also one with a payment or a query token", async () => {
    expect(await newGate()(requestWith([]))).toEqual({ kind: "refuse", reason: "token_missing" })
    expect(await newGate()(requestWith([], { payment: true }))).toEqual({
      kind: "refuse",
      reason: "pay_at_token_endpoint",
    })
    expect(await newGate()(requestWith([], { queryToken: true }))).toEqual({
      kind: "refuse",
      reason: "token_missing",
    })
  })

  it("N-6750-1, HTP-08: refuses two headers, a list or two methods as ambiguous", async () => {
    const token = await keys.sign(claims)
    const one = `Bearer ${token}`
    for (const request of [
      requestWith([one, one]),
      requestWith([`${one}, ${one}`]),
      requestWith([one], { queryToken: true }),
    ])
      expect(await newGate()(request)).toEqual({ kind: "refuse", reason: "token_ambiguous" })
  })

  it("TOK-29: refuses any other Authorization value as an invalid token", async () => {
    const values = [
      "Bearer",
      "Bearer ",
      "Bearer a.b",
      "bearer  x",
      "Basic abc",
      "",
      " ",
      "Bearer é",
      "Bearer a b",
      `Bearer ${"a".repeat(100_000)}`,
      "Bearer ..",
      "Bearer =",
      "DPoP x",
    ]
    for (const value of values)
      expect(await newGate()(requestWith([value])), value.slice(0, 20)).toEqual({
        kind: "refuse",
        reason: "token_invalid",
      })
  })

  it("TOK-01, TOK-02, TOK-04, TOK-05, TOK-06, TOK-12, TOK-13: accepts one exact header", async () => {
    const [header, payload, signature] = (await keys.sign(claims)).split(".") as [string, string, string]
    const own = JSON.parse(Buffer.from(header, "base64url").toString())
    const publicKey = JSON.stringify(keys.jwks().keys[0])
    const headers: object[] = [
      { ...own, alg: "none" },
      { ...own, alg: "None" },
      { ...own, alg: "HS256" },
      { ...own, alg: "ES256K" },
      { ...own, typ: "JWT" },
      { ...own, typ: "dpop+jwt" },
      { ...own, kid: "../../dev/null" },
      { ...own, kid: "' OR 1=1" },
      { ...own, kid: "__proto__" },
      { alg: own.alg, typ: own.typ },
      { ...own, jku: "http://127.0.0.1:9/jwks" },
      { ...own, x5u: "http://127.0.0.1:9/x" },
      { ...own, jwk: keys.jwks().keys[0] },
      { ...own, crit: ["b64"], b64: true },
      { kid: own.kid, typ: own.typ, alg: own.alg },
    ]
    for (const changed of headers) {
      const encoded = base64url.encode(JSON.stringify(changed))
      for (const text of [`${encoded}.${payload}.${signature}`, `${encoded}.${payload}.`])
        expect(await reasonOf(text), JSON.stringify(changed)).toBe("token_invalid")
    }
    const hs256Token = await new SignJWT(claims)
      .setProtectedHeader({ ...own, alg: "HS256" })
      .sign(Buffer.from(publicKey))
    expect(await reasonOf(hs256Token)).toBe("token_invalid")
    const { privateKey } = await generateKeyPair("ES256")
    expect(await reasonOf(await new SignJWT(claims).setProtectedHeader(own).sign(privateKey))).toBe(
      "token_invalid",
    )
  })

  it("TOK-25: refuses a flood of unknown key ids from memory without any fetch", async () => {
    const asked = vi.spyOn(globalThis, "fetch")
    const [header, payload, signature] = (await keys.sign(claims)).split(".") as [string, string, string]
    const own = JSON.parse(Buffer.from(header, "base64url").toString())
    const gate = newGate()
    for (let key = 0; key < 300; key++) {
      const other = base64url.encode(JSON.stringify({ ...own, kid: `key-${key}` }))
      expect(await reasonOf(`${other}.${payload}.${signature}`, gate)).toBe("token_invalid")
    }
    expect(asked).not.toHaveBeenCalled()
    asked.mockRestore()
    expect(await reasonOf(`${header}.${payload}.${signature}`, gate)).toBe("pass")
  })

  it("TOK-12: refuses tokens of its own key with another type or key id", async () => {
    const { jwk } = (await readRing(join(folder, "ours"))).access[0]!
    const key = await importJWK(jwk as JWK, "ES256")
    const own = JSON.parse(Buffer.from((await keys.sign(claims)).split(".")[0]!, "base64url").toString())
    // Several rounds: half of the signatures have a high s, which is refused for another reason.
    for (const header of [
      { ...own, typ: "JWT" },
      { ...own, typ: "dpop+jwt" },
      { ...own, kid: "x" },
      { alg: "ES256" },
    ])
      for (let round = 0; round < 8; round++) {
        const token = await new SignJWT({ ...claims, jti: String(round) })
          .setProtectedHeader(header)
          .sign(key)
        expect(await reasonOf(token), JSON.stringify(header)).toBe("token_invalid")
      }
  })

  it("TOK-18, N-8725-4, N-9068-5: refuses forged, foreign and misdirected tokens", async () => {
    const [header, , signature] = (await keys.sign(claims)).split(".")
    const forged = `${header}.${base64url.encode(JSON.stringify({ ...claims, scope: "everything" }))}.${signature}`
    expect(await reasonOf(forged)).toBe("token_invalid")
    expect(await reasonOf(await foreign.sign(claims))).toBe("token_invalid")
    for (const changed of [{ iss: "https://cinema.example/" }, { aud: "https://other.example" }])
      expect(await reasonOf(await keys.sign({ ...claims, ...changed }))).toBe("token_invalid")
  })

  it("TOK-08, TOK-10: requires every claim with its type and refuses future tokens", async () => {
    const wrong: object[] = [
      { exp: String(claims.exp) },
      { exp: 1e308 },
      { exp: -1 },
      { exp: claims.exp + 0.5 },
      { aud: [issuer] },
      { aud: [issuer, "https://other.example"] },
      { settled: "true" },
      { paid: 1 },
    ]
    for (const changed of wrong)
      expect(
        await reasonOf(await keys.sign({ ...claims, ...changed } as Claims)),
        JSON.stringify(changed),
      ).toBe("token_invalid")
    for (const missing of Object.keys(claims)) {
      const { [missing as keyof Claims]: _, ...rest } = claims
      expect(await reasonOf(await keys.sign(rest as Claims)), missing).toBe("token_invalid")
    }
  })

  it("refuses padding, spare bits, spaces and the high-s twin of a token", async () => {
    const token = await keys.sign(claims)
    const [header, payload, signature] = token.split(".") as [string, string, string]
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const bytes = Buffer.from(signature, "base64url")
    const s = BigInt(`0x${bytes.subarray(32).toString("hex")}`)
    expect(s <= order / 2n).toBe(true)
    const twin = Buffer.concat([
      bytes.subarray(0, 32),
      Buffer.from((order - s).toString(16).padStart(64, "0"), "hex"),
    ])
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    const spare = alphabet[alphabet.indexOf(signature.at(-1)!) + 1]
    const spellings = [
      `${header}.${payload}.${twin.toString("base64url")}`,
      `${header}.${payload}.${signature.slice(0, -1)}${spare}`,
      `${token}==`,
      `${token}.`,
      `${header}.${payload}=.${signature}`,
      ` ${token}x`,
    ]
    for (const spelling of spellings)
      expect(await reasonOf(spelling), spelling.slice(-20)).toBe("token_invalid")
    expect(await reasonOf(token)).toBe("pass")
  })

  it("judges forgery, scope, revocation and expiry again at every cache hit", async () => {
    time = now
    ended = {}
    const gate = newGate()
    const token = await keys.sign(claims)
    expect(await reasonOf(token, gate)).toBe("pass")
    const [header, payload] = token.split(".")
    const { privateKey } = await generateKeyPair("ES256")
    const forged = (await new SignJWT(claims).setProtectedHeader({ alg: "ES256" }).sign(privateKey)).split(
      ".",
    )[2]
    expect(await reasonOf(`${header}.${payload}.${forged}`, gate)).toBe("token_invalid")
    expect(await gate(requestWith([`Bearer ${token}`], { scope: "movies:write" }))).toEqual({
      kind: "refuse",
      reason: "insufficient_scope",
    })
    ended = { grant: "settlement_failed" }
    expect(await reasonOf(token, gate)).toBe("settlement_failed")
    ended = {}
    time = claims.exp + 5
    expect(await reasonOf(token, gate)).toBe("token_expired")
    time = now
  })

  it("TOK-10: accepts a token from 30 s ahead, and refuses others until their time", async () => {
    expect(await reasonOf(await keys.sign({ ...claims, iat: now + 30 }))).toBe("pass")
    const ahead = await keys.sign({ ...claims, iat: now + 31 })
    const gate = newGate()
    expect(await reasonOf(ahead, gate)).toBe("token_not_yet_valid")
    expect(gateRefusals.token_not_yet_valid).toMatchObject({ status: 503, action: "retry" })
    expect(gateRefusals.token_not_yet_valid.description).toContain("clock")
    time = now + 1
    expect(await reasonOf(ahead, gate)).toBe("pass")
    time = now
  })

  it("TOK-09: refuses a token exactly when the leeway has passed", async () => {
    const token = await keys.sign(claims)
    time = claims.exp + 4
    expect(await reasonOf(token)).toBe("pass")
    time = claims.exp + 5
    expect(await reasonOf(token)).toBe("token_expired")
    time = now
  })

  it("TOK-21: names why a grant ended, so that only a failed settlement is rebought", async () => {
    const token = await keys.sign(claims)
    const seen: Record<string, string> = {}
    for (const reason of ["settlement_failed", "refresh_token_reused", "revoked"] as const) {
      ended = { grant: reason }
      seen[reason] = await reasonOf(token)
    }
    ended = {}
    expect(seen).toEqual({
      settlement_failed: "settlement_failed",
      refresh_token_reused: "grant_over",
      revoked: "token_revoked",
    })
  })

  it("TOK-22: passes only settled tokens while the revocation feed is stale", async () => {
    feedAge = 16
    expect(await reasonOf(await keys.sign({ ...claims, settled: false }))).toBe("gate_unavailable")
    expect(await reasonOf(await keys.sign(claims))).toBe("pass")
    feedAge = 15
    expect(await reasonOf(await keys.sign({ ...claims, settled: false }))).toBe("pass")
    feedAge = 0
  })

  it("TOK-26: trusts no key while the key feed is stale", async () => {
    keyAge = 16
    expect(await reasonOf(await keys.sign(claims))).toBe("gate_unavailable")
    keyAge = 15
    expect(await reasonOf(await keys.sign(claims))).toBe("pass")
    keyAge = 0
  })

  it("TOK-17: limits requests per token and ten seconds, not counting refusals", async () => {
    const gate = newGate()
    const token = await keys.sign(claims)
    for (let request = 0; request < 100; request++) {
      expect(await reasonOf(token, gate)).toBe("pass")
      await gate(requestWith([`Bearer ${token}`], { scope: "movies:write" }))
    }
    expect(await reasonOf(token, gate)).toBe("too_many_requests")
    expect(await reasonOf(await keys.sign({ ...claims, jti: "another" }), gate)).toBe("pass")
    time += 10
    expect(await reasonOf(token, gate)).toBe("pass")
    time = now
  })

  it("TOK-20: matches a scope whole", async () => {
    const token = `Bearer ${await keys.sign(claims)}`
    for (const scope of ["movies", "movies:rea", "movies:readx", "list", ""])
      expect((await newGate()(requestWith([token], { scope }))).kind, scope).toBe("refuse")
    expect((await newGate()(requestWith([token], { scope: "movies:list" }))).kind).toBe("pass")
  })

  it("publishes keys with which another service verifies the token", async () => {
    const { compactVerify } = await import("jose")
    const jwk = keys.jwks().keys[0]!
    expect(jwk.d).toBeUndefined()
    const verified = await compactVerify(await keys.sign(claims), await importJWK(jwk, "ES256"))
    expect(JSON.parse(new TextDecoder().decode(verified.payload))).toEqual(claims)
  })

  describe("with an unpaid token", () => {
    const entry = {
      id: "billing",
      secretSha256: null,
      scope: "movies:read",
      by: "command",
      listedAt: now,
    } as const
    const free = (changes: Partial<Claims> = {}) =>
      keys.sign({ ...claims, sub: "billing", client_id: "billing", paid: false, ...changes })

    it("WL-09: passes it while its subject is listed since before the token was issued", async () => {
      listed = { billing: entry }
      expect(await reasonOf(await free())).toBe("pass")
      listed = { billing: { ...entry, listedAt: now + 1 } }
      expect(await reasonOf(await free())).toBe("token_revoked")
      listed = {}
      expect(await reasonOf(await free())).toBe("token_revoked")
      time = now + 400
      // Removed and expired: the answer is still no invitation to pay.
      expect(await reasonOf(await free())).toBe("token_revoked")
      listed = { billing: entry }
      expect(await reasonOf(await free())).toBe("token_expired")
      time = now
    })

    it("WL-10: grants the scope of the current entry, not that of the token", async () => {
      listed = { billing: { ...entry, scope: "movies:list" } }
      expect(await reasonOf(await free())).toBe("token_revoked")
      listed = { billing: { ...entry, scope: "movies:read movies:write" } }
      expect(await reasonOf(await free({ scope: "movies:list" }))).toBe("insufficient_scope")
      listed = {}
    })

    it("answers gate_unavailable with a list older than 15 s, and passes paid tokens", async () => {
      listed = { billing: entry }
      listAge = 15
      expect(await reasonOf(await free())).toBe("pass")
      listAge = 16
      expect(await reasonOf(await free())).toBe("gate_unavailable")
      expect(await reasonOf(await keys.sign(claims))).toBe("pass")
      listAge = 0
      listed = {}
    })
  })
})
