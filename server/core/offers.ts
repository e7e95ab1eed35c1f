/** Keeps the offers on sale. The reference of an offer covers its content and fixed prices. */
import { hasScope } from "../../shared/oauth/access-token.ts"
import type { Address } from "../../shared/values/evm.ts"
import type { QuotedAmount } from "./price-quote.ts"
import type { SettlePolicy } from "./redemption.ts"

export type Price = {
  /** CAIP-2. */
  readonly network: string
  /** The id of the payment scheme. */
  readonly scheme: string
  /** Lower-case address. */
  readonly asset: Address
  /** Atomic units; null for a price from a function, which a price quote promises. */
  readonly amount: bigint | null
  readonly payTo: Address
  readonly maxTimeoutSeconds: number
}

/** A price as a buyer pays it. */
export type SetPrice = Price & {
  /** Atomic units. */
  readonly amount: bigint
  /** The price quote that promises the amount, where the offer does not fix it. */
  readonly quote?: string
}

export const isSet = (price: Price): price is SetPrice => price.amount !== null

export type OfferContent = {
  readonly id: string
  readonly scope: string
  readonly durationSeconds: number
  /** The number of units it sells; null when only time ends it. */
  readonly units: number | null
  /** The units in money, for offers that sell `value`: a decimal string of the currency. */
  readonly value: string | null
  readonly settle: SettlePolicy
  /** Binds its tokens to a key of the buyer (RFC 9449): on request, or always. */
  readonly dpop: "optional" | "required"
  readonly prices: readonly Price[]
}

export type Offer = OfferContent & {
  /** The id, `@`, and 8 hex digits of the SHA-256 of the canonical content. */
  readonly ref: string
}

/** The id in the reference of an offer. */
export const idOf = (ref: string): string => ref.slice(0, Math.max(0, ref.lastIndexOf("@")))

/** An offer as the store remembers it. */
export type OfferRecord = {
  readonly offer: Offer
  /** Seconds; null while the offer is on sale. */
  readonly replacedAt: number | null
}

/** Every scope that offers or members of the whitelist name. */
export const scopesOf = (scoped: readonly { readonly scope: string }[]): readonly string[] => [
  ...new Set(scoped.flatMap(({ scope }) => scope.split(" "))),
]

/** The text whose hash names the offer; equal content gives equal text, in any order of the configuration's keys. */
export const canonicalContent = (offer: OfferContent): string =>
  JSON.stringify([
    "ticket402/offer/1",
    offer.id,
    offer.scope,
    offer.durationSeconds,
    offer.units,
    offer.value,
    offer.settle,
    offer.dpop,
    offer.prices.map((price) => [
      price.network,
      price.scheme,
      price.asset,
      price.amount?.toString() ?? null,
      price.payTo,
      price.maxTimeoutSeconds,
    ]),
  ])

/** A route that also accepts payments, with its requirements for a token. */
export type GatedRoute = {
  readonly scope: string
  /** In units, where they are counted. */
  readonly cost: number
}

/** Checks whether a plain bearer token of the offer opens the route. */
export const opens = (offer: Pick<Offer, "scope" | "units" | "dpop">, gatedRoute: GatedRoute): boolean =>
  hasScope(offer.scope, gatedRoute.scope) &&
  (offer.units === null || offer.units >= gatedRoute.cost) &&
  offer.dpop !== "required"

/** Where the money of these offers goes, or went. */
export const payeesOf = (offers: readonly Offer[]): readonly Pick<Price, "network" | "asset" | "payTo">[] =>
  offers.flatMap(({ prices }) => prices)

/** Reads a price quote for a price of an offer; undefined when this service did not make it for that price. */
export type OpenQuote = (quote: string, offer: Offer, price: Price) => QuotedAmount | undefined

/** The server's own table of current and replaced offers, by reference. */
export type OfferBoard = {
  readonly current: readonly Offer[]
  /**
   * Finds the offer of a payment. A replaced offer is honoured for `quoteSeconds`, judged at `signedAt`: the payer read the
   * offer at `validBefore − maxTimeoutSeconds` at the latest.
   */
  find(ref: string, signedAt: (offer: Offer) => number): Offer | "unknown" | "expired"
  readonly openQuote: OpenQuote
}

export function createOfferBoard(
  records: readonly OfferRecord[],
  quoteSeconds: number,
  openQuote: OpenQuote = () => undefined,
): OfferBoard {
  const byRef = new Map(records.map((record) => [record.offer.ref, record]))
  return {
    current: records.filter((record) => record.replacedAt === null).map((record) => record.offer),
    find(ref, signedAt) {
      const record = byRef.get(ref)
      if (!record) return "unknown"
      const { offer, replacedAt } = record
      return replacedAt === null || signedAt(offer) <= replacedAt + quoteSeconds ? offer : "expired"
    },
    openQuote,
  }
}
