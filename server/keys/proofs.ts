/** Checks that a DPoP proof has its form and was signed by the key it names (RFC 9449 §4.2, §4.3). */
import { base64url, type CryptoKey, calculateJwkThumbprint, compactVerify, importJWK } from "jose"
import { z } from "zod"
import { proofClaimsSchema, proofType } from "../../shared/oauth/dpop.ts"
import { parseJson } from "../../shared/values/json.ts"
import type { Proof } from "../core/dpop.ts"

const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
/** Further members that a public key may have. */
const notes = {
  kid: z.string().max(256).optional(),
  alg: z.string().max(32).optional(),
  use: z.literal("sig").optional(),
  key_ops: z.array(z.string().max(32)).max(8).optional(),
  ext: z.boolean().optional(),
}
/** Strict: a private member or an extension that must be understood (`crit`) makes it no proof. */
const headerSchema = z.union([
  z.strictObject({
    typ: z.literal(proofType),
    alg: z.literal("ES256"),
    jwk: z.strictObject({
      kty: z.literal("EC"),
      crv: z.literal("P-256"),
      x: coordinate,
      y: coordinate,
      ...notes,
    }),
  }),
  z.strictObject({
    typ: z.literal(proofType),
    alg: z.enum(["EdDSA", "Ed25519"]),
    jwk: z.strictObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: coordinate, ...notes }),
  }),
])

const maximumLength = 4096
const form = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Undefined for anything else; never throws. Says nothing of the request or the time. */
export async function verifyProof(text: string): Promise<Proof | undefined> {
  if (text.length > maximumLength || !form.test(text)) return undefined
  try {
    const [head = ""] = text.split(".", 1)
    const { alg, jwk } = headerSchema.parse(jsonOf(base64url.decode(head)))
    const { kty, crv, x } = jwk
    const bare = jwk.kty === "EC" ? { kty, crv, x, y: jwk.y } : { kty, crv, x }
    const key = (await importJWK(bare, alg)) as CryptoKey
    const { payload } = await compactVerify(text, key, { algorithms: [alg] })
    return {
      claims: proofClaimsSchema.parse(jsonOf(payload)),
      thumbprint: await calculateJwkThumbprint(bare),
    }
  } catch {
    // Whatever is wrong with it, it proves nothing.
    return undefined
  }
}

const jsonOf = (bytes: Uint8Array): unknown =>
  parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), 4)
