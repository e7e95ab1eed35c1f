/** Signed texts (RFC 7515, compact) in the one spelling that is ever written, so that a text stands for itself only. */

/** RS256, which RFC 9068 asks for, is left out on purpose (wire.md §5). */
export const tokenAlgorithms = ["ES256", "EdDSA"] as const
export type TokenAlgorithm = (typeof tokenAlgorithms)[number]

/**
 * The first part of whatever the key signs as that type. Comparing it whole leaves no room for another algorithm, type or
 * key, for `jku`, `jwk` or `crit`, or for a member given twice: none of them is ever parsed.
 */
export const jwsHeader = (alg: TokenAlgorithm, typ: string, kid: string): string =>
  btoa(JSON.stringify({ alg, typ, kid })).replace(/=+$/, "").replace(/\+/g, "-").replace(/\//g, "_")

/** The order of P-256. */
export const curveOrder = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
/** 64 bytes in base64url: 86 characters, the last of which has four bits that must be zero. */
const signaturePattern = /^[A-Za-z0-9_-]{85}[AQgw]$/

/** Of the two signatures that ECDSA has for everything, the one with the low s; Ed25519 has one only. */
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
