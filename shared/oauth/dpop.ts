/** Defines proofs of possession (DPoP, RFC 9449) on the wire, and the canonical spelling of their URLs. */
import * as z from "zod"
import { urlWithin } from "./messages.ts"

export const dpopHeader = "DPoP"
export const dpopNonceHeader = "DPoP-Nonce"
/** The `typ` in the header of a proof. */
export const proofType = "dpop+jwt"
/** Named as in the metadata; a proof may also call EdDSA `Ed25519` (RFC 9864). */
export const proofAlgorithms = ["ES256", "EdDSA"] as const

export const proofClaimsSchema = z.object({
  jti: z.string().min(1).max(256),
  htm: z.string().max(64),
  htu: z.string().max(4096),
  iat: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  /** base64url of the SHA-256 of the access token that comes with the proof. */
  ath: z.string().max(64).optional(),
  nonce: z.string().max(256).optional(),
})
export type ProofClaims = z.infer<typeof proofClaimsSchema>

/** Returns the comparable `htu`: without query and fragment, in normal spelling (RFC 9449 §4.3, RFC 3986 §6.2.2). */
export const proofAddress = (url: URL): string => `${url.origin}${normalPath(url.pathname)}`

/** Reads a received `htu` into that form; undefined when it is not a URL. */
export const readProofAddress = (htu: string): string | undefined =>
  URL.canParse(htu) ? proofAddress(new URL(htu)) : undefined

/**
 * Returns the address of a request to a resource from its raw path. Dot segments stay: no proof has them, so a request
 * with them matches no proof.
 */
export function requestAddress(resource: string, path: string): string {
  const { origin } = new URL(resource)
  return `${origin}${normalPath(urlWithin(resource, path).slice(origin.length))}`
}

/** Writes escapes in capitals, and removes unnecessary ones. */
const normalPath = (path: string): string =>
  path.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase()
  })
