/** Derives the claims of an access token from the stored row of its grant (RFC 9068). */
import { z } from "zod"
import type { Claims } from "../../shared/oauth/access-token.ts"
import type { IssuedGrant } from "./grant.ts"

/** A scope as RFC 6749 §3.3 spells it: names separated by single spaces. */
export const scopeSchema = z
  .string()
  .regex(
    /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/,
    "wanted scope names separated by single spaces",
  )
  .max(256)

/** `resource` is the audience for older grants, which name none. */
export const claimsOf = (
  grant: IssuedGrant,
  { issuer, resource }: { readonly issuer: string; readonly resource: string },
): Claims => ({
  iss: issuer,
  aud: grant.resource ?? resource,
  sub: grant.subject,
  client_id: grant.subject,
  iat: grant.token.issuedAt,
  exp: grant.token.expiresAt,
  jti: grant.token.jti,
  scope: grant.scope,
  grant: grant.id,
  ...(grant.parent !== null && { parent: grant.parent }),
  granted_at: grant.startsAt,
  offer: grant.offer,
  settled: grant.token.settled,
  paid: grant.paid,
  metered: grant.meter !== null,
  ...(grant.keyThumbprint !== null && { cnf: { jkt: grant.keyThumbprint } }),
})
