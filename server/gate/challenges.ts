/** Answers a request that the gate refuses: status, challenge and, where paying helps, the offers. */
import { LRUCache } from "lru-cache"
import { proofAlgorithms } from "../../shared/oauth/dpop.ts"
import {
  needsPrice,
  type PlainAnswer,
  type PriceForms,
  refusalAnswer,
} from "../../shared/oauth/gate-answer.ts"
import { urlWithin } from "../../shared/oauth/messages.ts"
import { type GateReason, gateRefusals } from "../../shared/refusals.ts"
import type { TokenHeader } from "../../shared/token-header.ts"
import { opens } from "../core/offers.ts"
import { createPaymentRequired, offersFor, payableEntries } from "../core/payment-required.ts"
import { priceSentence } from "../core/price-sentence.ts"
import type { PricedOffer } from "../core/pricing.ts"
import { bodyV1 } from "../core/x402-v1.ts"
import type { PriceList } from "../feeds/price-list.ts"

export type Challenges = (reason: GateReason, route: ChallengedRoute) => PlainAnswer

export type ChallengedRoute = {
  readonly scope: string
  readonly pattern: string
  /** How many units a call costs where they are counted; 1 when not given. */
  readonly cost?: number
  /** The header that shows the token; `Authorization` when not given. */
  readonly tokenHeader?: TokenHeader | undefined
  /** Payments are taken at the route itself. */
  readonly payAtRoutes?: boolean
  /** The client says by `Accept-Payment` that it speaks MPP. */
  readonly mpp?: boolean
  /** The service elsewhere that answers with this price; the own resource when not given. */
  readonly resource?: string
}

export type ChallengeOptions = {
  readonly issuer: string
  readonly resource: string
  readonly endpoints: { readonly token: string; readonly protectedResource: string }
  readonly prices: Pick<PriceList, "offers" | "current">
  /** Clients of x402 v1 may buy where payments are taken. */
  readonly x402v1: boolean
}

/** Each answer is built once, until a price changes; the cache is bounded for routers mounted under changing paths. */
export function createChallenges(options: ChallengeOptions): Challenges {
  const { issuer, endpoints, prices } = options
  const built = new LRUCache<string, PlainAnswer>({ max: 1000 })
  let priced = prices.current()

  function build(reason: GateReason, route: ChallengedRoute): PlainAnswer {
    const { scope, payAtRoutes = false, mpp = false, resource = options.resource } = route
    const row = gateRefusals[reason]
    const offers = offersFor(priced, scope)
    // A new buyer finds no price for now; a living grant is refreshed all the same.
    const isClosed = offers.length === 0 && offersFor(prices.offers, scope).length > 0
    if (row.status === 402 && row.action === "buy" && isClosed) return build("price_unavailable", route)
    const place = {
      realm: resource,
      scope,
      resourceMetadata: endpoints.protectedResource,
      tokenHeader: route.tokenHeader,
      proofAlgorithms,
    }
    const answer = refusalAnswer(
      reason,
      place,
      needsPrice(reason) ? priceOf(reason, route, offers) : undefined,
    )
    // mppx 0.11 takes every WWW-Authenticate of a 402 for its own, and gives up before it reads the offers.
    const isSilent = payAtRoutes && mpp && row.error === null
    if (!isSilent) return answer
    const { "www-authenticate": _, ...headers } = answer.headers
    return { ...answer, headers }
  }

  function priceOf(reason: GateReason, route: ChallengedRoute, offers: readonly PricedOffer[]): PriceForms {
    const { scope, pattern, cost = 1, payAtRoutes = false, resource = options.resource } = route
    const isPayable = (offer: PricedOffer) => payAtRoutes && opens(offer, { scope, cost })
    const terms = { url: urlWithin(resource, pattern), error: reason }
    const { header, body } = createPaymentRequired({
      ...terms,
      offers,
      cost,
      issuer,
      tokenEndpoint: endpoints.token,
      resource,
      tokenHeader: route.tokenHeader,
      paymentFlow: "access-token",
      payAtRoutes: isPayable,
    })
    const v1 = options.x402v1
      ? bodyV1({
          ...terms,
          message: priceSentence(offers, endpoints.token),
          accepts: payableEntries(offers.filter(isPayable)),
        })
      : undefined
    return { header, body: v1 ?? body }
  }

  return (reason, route) => {
    if (priced !== prices.current()) {
      built.clear()
      priced = prices.current()
    }
    const { scope, pattern, cost = 1, payAtRoutes = false, mpp = false, resource = "" } = route
    const key = `${reason} ${payAtRoutes} ${mpp} ${route.tokenHeader} ${resource} ${scope} ${cost} ${pattern}`
    const known = built.get(key)
    if (known) return known
    const answer = build(reason, route)
    built.set(key, answer)
    return answer
  }
}
