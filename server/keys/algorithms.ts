/** The two signature algorithms of access tokens and receipts: keys, and signatures in the one spelling that is written. */
import { createHash, createPrivateKey, generateKeyPairSync, type JsonWebKey, sign } from "node:crypto"
import { base64url, type JWK } from "jose"
import { z } from "zod"
import { curveOrder, type TokenAlgorithm } from "../../shared/oauth/jws.ts"

const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
/** The private half (`d`) is absent when a signer outside holds it. */
export const jwkSchema = z.union([
  z.strictObject({
    kty: z.literal("EC"),
    crv: z.literal("P-256"),
    x: coordinate,
    y: coordinate,
    d: coordinate.optional(),
  }),
  z.strictObject({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    x: coordinate,
    d: coordinate.optional(),
  }),
])
export type KeyJwk = z.infer<typeof jwkSchema>

/** A private key as a JWK, named by its thumbprint (RFC 7638). */
export function generateKey(alg: TokenAlgorithm): { id: string; alg: TokenAlgorithm; jwk: KeyJwk } {
  const pair =
    alg === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519")
  const jwk = jwkSchema.parse(pair.privateKey.export({ format: "jwk" }))
  return { id: thumbprint(jwk), alg, jwk }
}

function thumbprint(jwk: KeyJwk): string {
  // The members that RFC 7638 §3.2 and RFC 8037 §2 require, in the order of their names.
  const required =
    jwk.kty === "EC"
      ? { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }
      : { crv: jwk.crv, kty: jwk.kty, x: jwk.x }
  return createHash("sha256").update(JSON.stringify(required)).digest("base64url")
}

/** Whether a key of that kind makes signatures of that algorithm. */
export const fits = (alg: TokenAlgorithm, jwk: KeyJwk): boolean =>
  alg === "ES256" ? jwk.kty === "EC" : jwk.kty === "OKP"

export const publicJwkOf = (id: string, alg: TokenAlgorithm, { d: _, ...jwk }: KeyJwk): JWK => ({
  ...jwk,
  kid: id,
  alg,
})

/**
 * Raw signatures (64 bytes) with a key of this process. Signs at once, because handing it to another thread takes more time
 * than the signature. Throws when the text is no key.
 */
export function createSign(alg: TokenAlgorithm, jwk: KeyJwk): (bytes: Uint8Array) => Promise<Uint8Array> {
  const key = createPrivateKey({ key: jwk as JsonWebKey, format: "jwk" })
  const hash = alg === "ES256" ? "sha256" : null
  return async (bytes) => sign(hash, bytes, { key, dsaEncoding: "ieee-p1363" })
}

/** Of the two signatures that ECDSA has for everything, the one with the low s; Ed25519 has one only. */
export function canonical(alg: TokenAlgorithm, signature: Uint8Array): string {
  if (alg !== "ES256") return base64url.encode(signature)
  const { r, s } = halves(signature)
  return base64url.encode(s > curveOrder / 2n ? join(r, curveOrder - s) : signature)
}

function halves(signature: Uint8Array): { r: bigint; s: bigint } {
  const hex = Buffer.from(signature).toString("hex")
  return { r: BigInt(`0x${hex.slice(0, 64)}`), s: BigInt(`0x${hex.slice(64)}`) }
}

const join = (r: bigint, s: bigint): Uint8Array =>
  Buffer.from(r.toString(16).padStart(64, "0") + s.toString(16).padStart(64, "0"), "hex")
