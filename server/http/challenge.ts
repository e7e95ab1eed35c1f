/** What the gate answers when the door stays shut: status, challenge and, where paying helps, the quote (wire.md §1). */
import { LRUCache } from "lru-cache"
import { bearerChallenge } from "../../shared/challenge.ts"
import { type GateReason, gateErrorBody, gateRefusals } from "../../shared/errors.ts"
import { paymentRequiredHeader } from "../../shared/x402.ts"
import type { Offer } from "../core/offers.ts"
import { offersFor, type Quote, quote } from "../core/quote.ts"
import type { Endpoints } from "./metadata.ts"

/** An answer without a framework. */
export type PlainAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Challenges = (reason: GateReason, route: { scope: string; pattern: string }) => PlainAnswer

/** Answers never change, so each is built once; the cache is bounded for routers mounted under changing paths. */
export function createChallenges(options: {
  readonly resource: string
  readonly endpoints: Endpoints
  readonly offers: readonly Offer[]
}): Challenges {
  const { resource, endpoints, offers } = options
  const built = new LRUCache<string, PlainAnswer>({ max: 1000 })

  function build(reason: GateReason, scope: string, pattern: string): PlainAnswer {
    const row = gateRefusals[reason]
    const retryAfter = "retryAfterSeconds" in row ? row.retryAfterSeconds : undefined
    const headers = {
      "cache-control": "no-store",
      "content-type": "application/json",
      "www-authenticate": bearerChallenge(reason, {
        realm: resource,
        scope,
        resourceMetadata: endpoints.protectedResource,
      }),
      ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
    }
    if (row.status !== 402)
      return { status: row.status, headers, body: JSON.stringify(gateErrorBody(reason)) }
    const { header, body }: Quote = quote({
      url: `${resource}${pattern}`,
      error: reason,
      offers: offersFor(offers, scope),
      tokenEndpoint: endpoints.token,
      resource,
      paymentFlow: "access-token",
    })
    return { status: 402, headers: { ...headers, [paymentRequiredHeader]: header }, body }
  }

  return (reason, { scope, pattern }) => {
    const key = `${reason} ${scope} ${pattern}`
    const known = built.get(key)
    if (known) return known
    const answer = build(reason, scope, pattern)
    built.set(key, answer)
    return answer
  }
}
