/** What the gate answers when the door stays shut: status, challenge and, where paying helps, the quote (wire.md §1). */
import { LRUCache } from "lru-cache"
import { gateChallenge } from "../../shared/challenge.ts"
import { proofAlgorithms } from "../../shared/dpop.ts"
import { type GateReason, gateErrorBody, gateRefusals } from "../../shared/errors.ts"
import { urlWithin } from "../../shared/oauth.ts"
import { paymentRequiredHeader } from "../../shared/x402.ts"
import { offersFor, type Quote, quote } from "../core/quote.ts"
import type { PriceList } from "../price-list.ts"
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

/** Each answer is built once, until a price changes; the cache is bounded for routers mounted under changing paths. */
export function createChallenges(options: {
  readonly resource: string
  readonly endpoints: Endpoints
  readonly prices: Pick<PriceList, "offers" | "current">
}): Challenges {
  const { resource, endpoints, prices } = options
  const built = new LRUCache<string, PlainAnswer>({ max: 1000 })
  let priced = prices.current()

  function build(reason: GateReason, { scope, pattern, cost = 1 }: Route): PlainAnswer {
    const row = gateRefusals[reason]
    const offers = offersFor(priced, scope)
    // Who would have to buy cannot, for now; a grant that lives is refreshed all the same.
    const isClosed = offers.length === 0 && offersFor(prices.offers, scope).length > 0
    if (row.status === 402 && row.action === "buy" && isClosed)
      return build("price_unavailable", { scope, pattern, cost })
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
      url: urlWithin(resource, pattern),
      error: reason,
      offers,
      cost,
      tokenEndpoint: endpoints.token,
      resource,
      paymentFlow: "access-token",
    })
    return { status: 402, headers: { ...headers, [paymentRequiredHeader]: header }, body }
  }

  return (reason, route) => {
    if (priced !== prices.current()) {
      built.clear()
      priced = prices.current()
    }
    const key = `${reason} ${route.scope} ${route.cost ?? 1} ${route.pattern}`
    const known = built.get(key)
    if (known) return known
    const answer = build(reason, route)
    built.set(key, answer)
    return answer
  }
}
