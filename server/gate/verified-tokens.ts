/** Remembers which tokens were verified, so that a repeated call costs no signature check. */
import { LRUCache } from "lru-cache"
import { isMeantFor } from "../../shared/oauth/access-token.ts"
import { gateRefusals } from "../../shared/refusals.ts"
import type { Keys, VerifiedToken } from "../ports/keys.ts"

/** A verified token, and how many calls it made, or would have made, in the present window. */
export type KnownToken = VerifiedToken & {
  windowEndsAt: number
  requests: number
}

export type VerifiedTokens = (token: string) => Promise<KnownToken | undefined>

const cacheSize = 10_000

/** Undefined for a text that is no token of the issuer for the resource. */
export function createVerifiedTokens(
  keys: Pick<Keys, "verify">,
  { issuer, resource }: { readonly issuer: string; readonly resource: string },
): VerifiedTokens {
  // Keyed by the whole text, signature included: a forged token with known claims must never hit.
  const verified = new LRUCache<string, KnownToken>({ max: cacheSize })

  return async function findToken(token) {
    const known = verified.get(token)
    if (known) return known
    const found = await keys.verify(token)
    if (!found || !isMeantFor(found.claims, { issuer, resources: [resource] })) return undefined
    const { claims, kid } = found
    const fresh: KnownToken = { claims, kid, windowEndsAt: 0, requests: 0 }
    verified.set(token, fresh)
    return fresh
  }
}

const windowSeconds = gateRefusals.too_many_requests.retryAfterSeconds

/** Counts a call of the token; whether it is one too many in {@link windowSeconds}. */
export function isTooMuch(known: KnownToken, at: number, requestsPerToken: number): boolean {
  if (at >= known.windowEndsAt) {
    known.windowEndsAt = at + windowSeconds
    known.requests = 0
  }
  known.requests += 1
  return known.requests > requestsPerToken
}
