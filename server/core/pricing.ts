/** Computes present prices: fixed prices of the configuration, and prices of the seller's functions. */

import { networks } from "../../shared/networks/index.ts"
import { type AssetInfo, findAsset } from "../../shared/networks/network.ts"
import { AmountError, parseAmount } from "../../shared/values/amount.ts"
import { isSet, type Offer, type Price, type SetPrice } from "./offers.ts"
import { nominalValue } from "./payment.ts"
import type { QuotedAmount } from "./price-quote.ts"

/** The longest life a configuration may give to quotes. */
export const longestQuoteSeconds = 86_400
/** Verifiers elsewhere show a price for a minute after they have read it, and its reader then needs time to sign. */
export const shortestQuoteSeconds = 120

/** The argument of a price function. */
export type PriceQuestion = {
  /** Id of the offer. */
  readonly offer: string
  /** CAIP-2. */
  readonly network: string
  /** Symbol, such as `USDC`. */
  readonly asset: string
  /** Aborts when the answer comes too late to count. */
  readonly signal: AbortSignal
}

/** Returns a price as a decimal string of the asset, such as `"0.02"`. */
export type PriceFunction = (question: PriceQuestion) => string | Promise<string>

/** By id of the offer, for its prices without an amount. */
export type PriceFunctions = Readonly<Record<string, PriceFunction>>

/** A price with the function that returns it. */
export type Pricing = {
  readonly offer: Offer
  readonly price: Price
  readonly asset: AssetInfo
  readonly tell: PriceFunction
}

/** Returns the prices that come from functions. */
export const pricingOf = (offers: readonly Offer[], functions: PriceFunctions): readonly Pricing[] =>
  offers.flatMap((offer) => {
    const tell = Object.hasOwn(functions, offer.id) ? functions[offer.id] : undefined
    return offer.prices.flatMap((price) => {
      const network = networks.get(price.network)
      const asset = network && findAsset(network, price.asset)
      return tell && asset && !isSet(price) ? [{ offer, price, asset, tell }] : []
    })
  })

/** An offer as a buyer sees it: with the entries that have a price now. */
export type PricedOffer = Omit<Offer, "prices"> & {
  readonly prices: readonly SetPrice[]
  /** Seconds; the last moment to sign for the quoted of its prices. */
  readonly priceExpiresAt?: number
}

/** Reads the answer of a price function into atomic units. Throws {@link AmountError} for anything but a price. */
export function parsePriceAnswer(answer: unknown, { decimals }: Pick<AssetInfo, "decimals">): bigint {
  if (typeof answer !== "string")
    throw new AmountError(
      `found ${answer === null ? "null" : `a ${typeof answer}`}, wanted a decimal string such as "0.01"`,
    )
  const amount = parseAmount(answer, decimals)
  // Nothing is given away because a function failed.
  if (amount === 0n) throw new AmountError("found a price of 0")
  if (amount >= 2n ** 256n) throw new AmountError("found more than there can be of any asset")
  return amount
}

/** A price of a function, promised by a price quote. */
export type Promised = QuotedAmount & { readonly quote: string }

/** Returns the offers with a fixed or promised price; an offer without any price is omitted. */
export const pricedOffers = (
  offers: readonly Offer[],
  promisedOf: (offer: Offer, price: Price) => Promised | null | undefined,
  perPayment: bigint,
): readonly PricedOffer[] =>
  offers.flatMap((offer) => {
    const prices = offer.prices.flatMap((price): readonly SetPrice[] => {
      if (isSet(price)) return [price]
      const promised = promisedOf(offer, price)
      return promised ? [{ ...price, amount: promised.amount, quote: promised.quote }] : []
    })
    if (prices.length === 0) return []
    const ends = offer.prices.flatMap((price) => promisedOf(offer, price)?.expiresAt ?? [])
    return [
      {
        ...offer,
        prices,
        settle: settleOf({ ...offer, prices }, perPayment),
        ...(ends.length > 0 && { priceExpiresAt: Math.min(...ends) }),
      },
    ]
  })

/** Never promises a token at once that the limit would always delay. `perPayment` is in millionths of the currency. */
export const settleOf = (offer: Pick<Offer, "settle" | "prices">, perPayment: bigint): Offer["settle"] =>
  offer.prices.some((price) => isSet(price) && isDear(price, perPayment)) ? "first" : offer.settle

function isDear({ network, asset, amount }: SetPrice, perPayment: bigint): boolean {
  const info = networks.get(network)
  const known = info && findAsset(info, asset)
  return known !== undefined && nominalValue(amount, known) > perPayment
}
