/** Proofs of possession (DPoP, RFC 9449): the words of the wire, and the one spelling in which addresses are compared. */
import * as z from "zod"
import { urlWithin } from "./messages.ts"

export const dpopHeader = "DPoP"
export const dpopNonceHeader = "DPoP-Nonce"
/** `typ` of a proof's header. */
export const proofType = "dpop+jwt"
/** As the metadata names them; a proof may call EdDSA `Ed25519`, too (RFC 9864). */
export const proofAlgorithms = ["ES256", "EdDSA"] as const

export const proofClaimsSchema = z.object({
  jti: z.string().min(1).max(256),
  htm: z.string().max(64),
  htu: z.string().max(4096),
  iat: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  /** base64url of the SHA-256 of the access token that goes with the proof. */
  ath: z.string().max(64).optional(),
  nonce: z.string().max(256).optional(),
})
export type ProofClaims = z.infer<typeof proofClaimsSchema>

/** `htu` as it is compared: without query and fragment, in normal spelling (RFC 9449 §4.3, RFC 3986 §6.2.2). */
export const proofAddress = (url: URL): string => `${url.origin}${normalPath(url.pathname)}`

/** The same of an `htu` as it was sent; undefined when it is no URL. */
export const readProofAddress = (htu: string): string | undefined =>
  URL.canParse(htu) ? proofAddress(new URL(htu)) : undefined

/**
 * The address of a request to a resource, by its path as it was sent. Dot segments are left alone: no proof has them, so
 * a request with them has none.
 */
export function requestAddress(resource: string, path: string): string {
  const { origin } = new URL(resource)
  return `${origin}${normalPath(urlWithin(resource, path).slice(origin.length))}`
}

/** Escapes in capitals, and none of a character that needs none. */
const normalPath = (path: string): string =>
  path.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase()
  })
