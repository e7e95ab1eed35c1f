/** What the gate answers when the door stays shut: status, challenge and, where paying helps, the quote (wire.md §1). */
import { LRUCache } from "lru-cache"
import { gateChallenge } from "../../shared/oauth/challenge.ts"
import { proofAlgorithms } from "../../shared/oauth/dpop.ts"
import { urlWithin } from "../../shared/oauth/messages.ts"
import { type GateReason, gateErrorBody, gateRefusals } from "../../shared/refusals.ts"
import { paymentRequiredHeader } from "../../shared/x402/messages.ts"
import { opens } from "../core/offers.ts"
import {
  createPaymentRequired,
  offersFor,
  type PaymentRequiredForms,
  payableEntries,
} from "../core/payment-required.ts"
import type { PricedOffer } from "../core/pricing.ts"
import type { PriceList } from "../feeds/price-list.ts"
import type { Endpoints } from "./metadata.ts"
import { bodyV1 } from "./x402-v1.ts"

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
  /** Payments are taken at the route itself. */
  readonly payAtRoutes?: boolean
  /** The caller said by `Accept-Payment` that he speaks MPP. */
  readonly mpp?: boolean
}

/** Each answer is built once, until a price changes; the cache is bounded for routers mounted under changing paths. */
export function createChallenges(options: {
  readonly resource: string
  readonly endpoints: Endpoints
  readonly prices: Pick<PriceList, "offers" | "current">
  /** Clients of x402 v1 may buy where payments are taken. */
  readonly x402v1: boolean
}): Challenges {
  const { resource, endpoints, prices, x402v1 } = options
  const built = new LRUCache<string, PlainAnswer>({ max: 1000 })
  let priced = prices.current()

  function build(
    reason: GateReason,
    { scope, pattern, cost = 1, payAtRoutes = false, mpp = false }: Route,
  ): PlainAnswer {
    const row = gateRefusals[reason]
    const offers = offersFor(priced, scope)
    // Who would have to buy cannot, for now; a grant that lives is refreshed all the same.
    const isClosed = offers.length === 0 && offersFor(prices.offers, scope).length > 0
    if (row.status === 402 && row.action === "buy" && isClosed)
      return build("price_unavailable", { scope, pattern, cost })
    const retryAfter = "retryAfterSeconds" in row ? row.retryAfterSeconds : undefined
    const challenge = gateChallenge(reason, {
      realm: resource,
      scope,
      resourceMetadata: endpoints.protectedResource,
      proofAlgorithms,
    })
    // mppx 0.11 takes every WWW-Authenticate of a 402 for its own, and gives up before it reads what it could pay.
    const isSilent = payAtRoutes && mpp && row.error === null
    const headers = {
      "cache-control": "no-store",
      "content-type": "application/json",
      ...(!isSilent && { "www-authenticate": challenge }),
      ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
    }
    if (row.status !== 402)
      return { status: row.status, headers, body: JSON.stringify(gateErrorBody(reason)) }
    const isPayable = (offer: PricedOffer) => payAtRoutes && opens(offer, { scope, cost })
    const terms = { url: urlWithin(resource, pattern), error: reason }
    const { header, body }: PaymentRequiredForms = createPaymentRequired({
      ...terms,
      offers,
      cost,
      tokenEndpoint: endpoints.token,
      resource,
      paymentFlow: "access-token",
      payAtRoutes: isPayable,
    })
    const v1 = x402v1 ? bodyV1({ ...terms, accepts: payableEntries(offers.filter(isPayable)) }) : undefined
    return { status: 402, headers: { ...headers, [paymentRequiredHeader]: header }, body: v1 ?? body }
  }

  return (reason, route) => {
    if (priced !== prices.current()) {
      built.clear()
      priced = prices.current()
    }
    const { scope, pattern, cost = 1, payAtRoutes = false, mpp = false } = route
    const key = `${reason} ${payAtRoutes} ${mpp} ${scope} ${cost} ${pattern}`
    const known = built.get(key)
    if (known) return known
    const answer = build(reason, route)
    built.set(key, answer)
    return answer
  }
}
