import { createPublicKey, type JsonWebKey } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createVerifier } from "fast-jwt"
import jsonwebtoken from "jsonwebtoken"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { claimsOf } from "../../server/core/claims.ts"
import { openGrant } from "../../server/core/grant.ts"
import { openKeys } from "../../server/keys/index.ts"
import type { Keys } from "../../server/ports/keys.ts"

const issuer = "https://cinema.example"
const now = Math.floor(Date.now() / 1000)
const grant = openGrant({
  id: "seat",
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
  token: { jti: "0123456789", issuedAt: now, expiresAt: now + 300, settled: true },
})
const claims = claimsOf(grant, { issuer, resource: issuer })
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "third-party-"))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The token's header and the key it names, as received from the published key set. */
function publicKeyOf(token: string, keys: Keys) {
  const header = JSON.parse(Buffer.from(token.split(".")[0]!, "base64url").toString())
  const { keys: published } = JSON.parse(JSON.stringify(keys.jwks())) as {
    keys: (JsonWebKey & { kid: string })[]
  }
  const jwk = published.find(({ kid }) => kid === header.kid)!
  return { header, key: createPublicKey({ key: jwk, format: "jwk" }) }
}
const forged = (token: string) => {
  const [header, , signature] = token.split(".")
  const payload = Buffer.from(JSON.stringify({ ...claims, scope: "everything" })).toString("base64url")
  return `${header}.${payload}.${signature}`
}

describe("a resource server with another library", () => {
  it("N-9068-1, N-9068-2, N-9068-3: verifies an RFC 9068 token with jsonwebtoken", async () => {
    const keys = await openKeys(join(folder, "es256"))
    const token = await keys.sign(claims)
    const { header, key } = publicKeyOf(token, keys)
    expect(header).toMatchObject({ typ: "at+jwt", alg: "ES256" })
    const options = { algorithms: ["ES256" as const], issuer, audience: issuer }
    const read = jsonwebtoken.verify(token, key, options)
    expect(read).toEqual(claims)
    for (const claim of ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"])
      expect(read).toHaveProperty(claim)
    expect(claims.aud).toBe(issuer)
    expect(() => jsonwebtoken.verify(forged(token), key, options)).toThrow(/invalid signature/)
    expect(() => jsonwebtoken.verify(token, key, { ...options, audience: "https://other.example" })).toThrow(
      /audience/,
    )
  })

  it.each(["ES256", "EdDSA"] as const)(
    "verifies a %s token with fast-jwt and refuses a forged one",
    async (alg) => {
      const keys = await openKeys(join(folder, alg), { algorithm: alg })
      const token = await keys.sign(claims)
      const { key } = publicKeyOf(token, keys)
      const verify = createVerifier({
        key: key.export({ type: "spki", format: "pem" }),
        algorithms: [alg],
        allowedIss: issuer,
        allowedAud: issuer,
        checkTyp: "at+jwt",
      })
      expect(verify(token)).toEqual(claims)
      expect(() => verify(forged(token))).toThrow(/signature/)
      const receipt = await keys.signReceipt({
        iss: issuer,
        iat: now,
        sub: grant.subject,
        grant: grant.id,
        offer: "hour@00000000",
        payment: {
          network: "eip155:1",
          asset: "0x1",
          payer: "0x2",
          pay_to: "0x3",
          amount: "1",
          transaction: "0x4",
          log_index: 0,
          settled_at: now,
        },
      })
      expect(() => verify(receipt)).toThrow(/typ/)
    },
  )
})
