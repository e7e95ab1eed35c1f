/** Checks the canonical spelling of signed texts (RFC 7515, compact), so that no text has a second form. */

/** RS256, which RFC 9068 requires, is omitted on purpose. */
export const tokenAlgorithms = ["ES256", "EdDSA"] as const
export type TokenAlgorithm = (typeof tokenAlgorithms)[number]

/**
 * Returns the first part of every text that the key signs as that type. Readers compare it whole, so that no other
 * algorithm, type or key, no `jku`, `jwk` or `crit`, and no repeated member is ever parsed.
 */
export const jwsHeader = (alg: TokenAlgorithm, typ: string, kid: string): string =>
  btoa(JSON.stringify({ alg, typ, kid })).replace(/=+$/, "").replace(/\+/g, "-").replace(/\//g, "_")

/** The order of the curve P-256. */
export const curveOrder = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
/** 64 bytes in base64url: 86 characters, the last of which has four bits that must be zero. */
const signaturePattern = /^[A-Za-z0-9_-]{85}[AQgw]$/

/** Accepts the signature with the low s of the two that ECDSA has for each text. Ed25519 has only one. */
export function isCanonical(alg: TokenAlgorithm, signature: string): boolean {
  if (!signaturePattern.test(signature)) return false
  return alg !== "ES256" || lowerHalf(signature) <= curveOrder / 2n
}

function lowerHalf(signature: string): bigint {
  const bytes = atob(signature.replace(/-/g, "+").replace(/_/g, "/"))
  let value = 0n
  for (const byte of bytes.slice(32)) value = (value << 8n) | BigInt(byte.charCodeAt(0))
  return value
}
