/** Reads an access token as every resource server does: claims, lifetime and canonical spelling (RFC 9068). */
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
  /** Id of the grant from which it was issued. */
  grant: id,
  /** Id of the grant from which its grant was derived; the token ends with either. */
  parent: id.optional(),
  /** Start of the grant in seconds; a revocation of many grants compares it. */
  granted_at: seconds,
  /** Reference of the bought offer; null for the grant of a client. */
  offer: id.nullable(),
  /** True when the payment was settled before the token was issued. */
  settled: z.boolean(),
  /** False for whitelisted callers. */
  paid: z.boolean(),
  /** True when its grant counts calls. */
  metered: z.boolean(),
  /** Thumbprint of the key that the caller must prove to hold (RFC 9449 §6.1); absent for a bearer token. */
  cnf: z.object({ jkt: id }).optional(),
})
export type Claims = z.infer<typeof claimsSchema>

/** The `typ` in the header of an access token. */
export const accessTokenType = "at+jwt"

/** Checks that the token is from this issuer and for one of these resources. */
export const isMeantFor = (
  claims: Pick<Claims, "iss" | "aud">,
  { issuer, resources }: { readonly issuer: string; readonly resources: readonly string[] },
): boolean => claims.iss === issuer && resources.includes(claims.aud)

/** Checks whether a space-separated list of scopes contains a scope. */
export const hasScope = (granted: string, wanted: string): boolean => granted.split(" ").includes(wanted)

const expiryLeewaySeconds = 5
/** How far the clock of a gate may be behind the issuer's. A buyer whose new token is refused for it would buy again. */
const clockLeewaySeconds = 30

export const isExpired = (claims: Claims, now: number): boolean => now >= claims.exp + expiryLeewaySeconds

export const isNotYetValid = (claims: Claims, now: number): boolean => claims.iat > now + clockLeewaySeconds

const credential = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*) *$/i
const longest = 8192

/** A token and the scheme of its Authorization header. */
export type Credential = { readonly scheme: "bearer" | "dpop"; readonly token: string }

/** Reads the credential in the value of an Authorization header; undefined without one (RFC 6750 §2.1). */
export function credentialIn(value: string): Credential | undefined {
  const [, scheme, token] = (value.length <= longest && credential.exec(value)) || []
  if (token === undefined) return undefined
  return { scheme: scheme?.toLowerCase() === "dpop" ? "dpop" : "bearer", token }
}
