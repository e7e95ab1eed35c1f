/** Reads the access token as every resource server does: its claims, its life and its one spelling (RFC 9068, wire.md §5). */
import * as z from "zod"

const seconds = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const id = z.string().min(1).max(512)

export const claimsSchema = z.object({
  iss: id,
  aud: id,
  sub: id,
  client_id: id,
  iat: seconds,
  exp: seconds,
  jti: id,
  scope: z.string().max(512),
  /** Id of the grant it was issued from. */
  grant: id,
  /** Id of the grant that this one was derived from; the token ends with either. */
  parent: id.optional(),
  /** When the grant began, in seconds: what a revocation of many grants goes by. */
  granted_at: seconds,
  /** Reference of the offer that was bought; null for a client's grant. */
  offer: id.nullable(),
  /** Whether the money was in when it was issued. */
  settled: z.boolean(),
  /** False for whitelisted callers. */
  paid: z.boolean(),
  /** Whether its grant ends with its use, too. */
  metered: z.boolean(),
  /** Thumbprint of the key that a caller with the token must prove to have (RFC 9449 §6.1); absent for a bearer token. */
  cnf: z.object({ jkt: id }).optional(),
})
export type Claims = z.infer<typeof claimsSchema>

/** `typ` of an access token's header. */
export const accessTokenType = "at+jwt"

/** Whether the token is of that issuer, for that resource. */
export const isMeantFor = (
  claims: Pick<Claims, "iss" | "aud">,
  { issuer, resource }: { readonly issuer: string; readonly resource: string },
): boolean => claims.iss === issuer && claims.aud === resource

/** Whether a space-separated scope list contains the scope. */
export const hasScope = (granted: string, wanted: string): boolean => granted.split(" ").includes(wanted)

const expiryLeewaySeconds = 5
/** How far the clock of a gate may be behind the issuer's. A buyer whose new token is refused for it would buy again. */
const clockLeewaySeconds = 30

export const isExpired = (claims: Claims, now: number): boolean => now >= claims.exp + expiryLeewaySeconds

export const isNotYetValid = (claims: Claims, now: number): boolean => claims.iat > now + clockLeewaySeconds

const credential = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*) *$/i
const longest = 8192

/** A token, and the scheme by which it is shown. */
export type Credential = { readonly scheme: "bearer" | "dpop"; readonly token: string }

/** The credential in the value of an Authorization header; undefined where there is none (RFC 6750 §2.1). */
export function credentialIn(value: string): Credential | undefined {
  const [, scheme, token] = (value.length <= longest && credential.exec(value)) || []
  if (token === undefined) return undefined
  return { scheme: scheme?.toLowerCase() === "dpop" ? "dpop" : "bearer", token }
}
