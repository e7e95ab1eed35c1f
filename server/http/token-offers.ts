/** Answers the token endpoint's 402: all offers on sale, or the one that `?offer=` names. */
import { Refusal } from "../../shared/refusals.ts"
import { paymentRequiredHeader } from "../../shared/x402/messages.ts"
import { createPaymentRequired, type PaymentRequiredForms, payableEntries } from "../core/payment-required.ts"
import { priceSentence } from "../core/price-sentence.ts"
import type { PricedOffer } from "../core/pricing.ts"
import { bodyV1 } from "../core/x402-v1.ts"
import type { PriceList } from "../feeds/price-list.ts"
import { noStore, TextResponse } from "./respond.ts"

export type TokenOffersOptions = {
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly resource: string
  readonly resources: readonly string[]
  readonly prices: Pick<PriceList, "offers" | "current">
  /** The body is for clients of x402 v1. */
  readonly x402v1: boolean
}

export type TokenOffers = {
  /** The offers on sale now, or the one of that id or reference. Throws a {@link Refusal}. */
  named(wanted: string | null): readonly PricedOffer[]
  /** The 402 for them, and for tokens of a resource. Throws a {@link Refusal}. */
  answer(wanted: Wanted): Response
}

type Wanted = { readonly offer: string | null; readonly resource: string | undefined }

/** Each answer is built once, until a price changes. */
export function createTokenOffers(options: TokenOffersOptions): TokenOffers {
  const { issuer, tokenEndpoint, resources, prices, x402v1 } = options
  const built = new Map<string, PaymentRequiredForms>()
  let priced = prices.current()

  function named(wanted: string | null): readonly PricedOffer[] {
    const sold = prices.offers.find((offer) => offer.id === wanted || offer.ref === wanted)
    if (wanted !== null && !sold) throw new Refusal("offer_unknown")
    const offers = sold ? prices.current().filter(({ ref }) => ref === sold.ref) : prices.current()
    if (offers.length === 0) throw new Refusal("price_unavailable")
    return offers
  }

  function formsOf(wanted: Wanted): PaymentRequiredForms {
    const resource = wanted.resource ?? options.resource
    if (!resources.includes(resource)) throw new Refusal("invalid_target")
    if (priced !== prices.current()) {
      built.clear()
      priced = prices.current()
    }
    const key = JSON.stringify([resource, wanted.offer])
    const known = built.get(key)
    if (known) return known
    const offers = named(wanted.offer)
    const terms = { url: tokenEndpoint, error: "payment_missing" }
    const { header, body } = createPaymentRequired({ ...terms, offers, issuer, tokenEndpoint, resource })
    const message = priceSentence(offers, tokenEndpoint)
    const v1 = x402v1 ? bodyV1({ ...terms, message, accepts: payableEntries(offers) }) : undefined
    const made = { header, body: v1 ?? body }
    built.set(key, made)
    return made
  }

  return {
    named,
    answer(wanted) {
      const { header, body } = formsOf(wanted)
      return new TextResponse(body, {
        status: 402,
        headers: { ...noStore, "content-type": "application/json", [paymentRequiredHeader]: header },
      })
    },
  }
}
