/** The claims of an access token (RFC 9068, wire.md §5): a function of the grant's stored row. */
import { z } from "zod"
import type { Grant } from "./grant.ts"

/** A scope as RFC 6749 §3.3 spells it: names separated by single spaces. */
export const scopeSchema = z
  .string()
  .regex(
    /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/,
    "wanted scope names separated by single spaces",
  )
  .max(256)

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
  /** Whether the money was in when it was issued. */
  settled: z.boolean(),
  /** False for whitelisted callers. */
  paid: z.boolean(),
})
export type Claims = z.infer<typeof claimsSchema>

export const claimsOf = (grant: Grant, issuer: string, audience: string): Claims => ({
  iss: issuer,
  aud: audience,
  sub: grant.subject,
  client_id: grant.subject,
  iat: grant.token.issuedAt,
  exp: grant.token.expiresAt,
  jti: grant.token.jti,
  scope: grant.scope,
  grant: grant.id,
  settled: grant.token.settled,
  paid: grant.paid,
})

/** Whether a space-separated scope list contains the scope. */
export const hasScope = (granted: string, wanted: string): boolean => granted.split(" ").includes(wanted)

/** How far two clocks may be apart. */
export const leewaySeconds = 5

export const isExpired = (claims: Claims, now: number): boolean => now >= claims.exp + leewaySeconds
