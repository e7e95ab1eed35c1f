/** What the gate answers when the door stays shut: status, challenge and, where paying helps, the quote (wire.md §1). */
import { LRUCache } from "lru-cache"
import { gateChallenge } from "../../shared/challenge.ts"
import { proofAlgorithms } from "../../shared/dpop.ts"
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

export type Challenges = (reason: GateReason, route: Route) => PlainAnswer

type Route = {
  readonly scope: string
  readonly pattern: string
  /** How many units a call costs where they are counted; 1 when not given. */
  readonly cost?: number
}

/** Answers never change, so each is built once; the cache is bounded for routers mounted under changing paths. */
export function createChallenges(options: {
  readonly resource: string
  readonly endpoints: Endpoints
  readonly offers: readonly Offer[]
}): Challenges {
  const { resource, endpoints, offers } = options
  const built = new LRUCache<string, PlainAnswer>({ max: 1000 })

  function build(reason: GateReason, { scope, pattern, cost = 1 }: Route): PlainAnswer {
    const row = gateRefusals[reason]
    const retryAfter = "retryAfterSeconds" in row ? row.retryAfterSeconds : undefined
    const headers = {
      "cache-control": "no-store",
      "content-type": "application/json",
      "www-authenticate": gateChallenge(reason, {
        realm: resource,
        scope,
        resourceMetadata: endpoints.protectedResource,
        proofAlgorithms,
      }),
      ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
    }
    if (row.status !== 402)
      return { status: row.status, headers, body: JSON.stringify(gateErrorBody(reason)) }
    const { header, body }: Quote = quote({
      url: `${resource}${pattern}`,
      error: reason,
      offers: offersFor(offers, scope),
      cost,
      tokenEndpoint: endpoints.token,
      resource,
      paymentFlow: "access-token",
    })
    return { status: 402, headers: { ...headers, [paymentRequiredHeader]: header }, body }
  }

  return (reason, route) => {
    const key = `${reason} ${route.scope} ${route.cost ?? 1} ${route.pattern}`
    const known = built.get(key)
    if (known) return known
    const answer = build(reason, route)
    built.set(key, answer)
    return answer
  }
}
