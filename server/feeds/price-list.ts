/** Keeps the price list: the offers on sale now, at fixed prices and at the latest prices of the seller's functions. */
import type { Offer, Price } from "../core/offers.ts"
import {
  type PricedOffer,
  type Pricing,
  type Promised,
  parsePriceAnswer,
  pricedOffers,
} from "../core/pricing.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import { createFeed } from "./feed.ts"
import type { Quotes } from "./quote-seals.ts"

export type PriceList = {
  /** All that is sold, whether or not it has a price now. */
  readonly offers: readonly Offer[]
  /** Returns the offers with a price. The array is the same until a price changes, so that derived values can be cached. */
  current(): readonly PricedOffer[]
  /** Asks for the prices that are due. Never throws. */
  refresh(): Promise<void>
  /** Asks on until stopped. */
  start(): void
  stop(): Promise<void>
}

/** The interval of calls of the functions. Requests never call them, so no flood of requests reaches their sources. */
const goodForSeconds = 10

/** The latest result of a function. */
type LastPrice = Promised & { readonly askedAt: number }

export function createPriceList(
  deps: { readonly quotes: Quotes; readonly now: Now; readonly log: Logger },
  options: {
    readonly offers: readonly Offer[]
    readonly pricing: readonly Pricing[]
    /** Seconds for which a published price is honoured. */
    readonly quoteSeconds: number
    /** Dearest payment that gets its token before the money, in millionths of the currency. */
    readonly perPayment: bigint
    /** An answer that comes later does not count; a second when not given. */
    readonly answerMilliseconds?: number
  },
): PriceList {
  const { quotes, now, log } = deps
  const { offers, pricing, quoteSeconds, perPayment, answerMilliseconds = 1000 } = options
  /** By price; null for one that is closed, because its function failed. */
  const lastPrices = new Map<string, LastPrice | null>()
  const lastPriceOf = (offer: Offer, price: Price): LastPrice | null | undefined =>
    lastPrices.get(keyOf(offer, price))
  let list = pricedOffers(offers, lastPriceOf, perPayment)
  const feed = createFeed({ now, log }, { name: "the prices", read })

  async function read(askedAt: number): Promise<void> {
    const due = pricing.filter((each) => isDue(each, askedAt))
    if (due.length === 0) return
    await Promise.all(due.map((each) => ask(each, askedAt)))
    list = pricedOffers(offers, lastPriceOf, perPayment)
  }

  /** Failed prices are due every second; so are prices under a seal of a removed key. */
  function isDue({ offer, price }: Pricing, at: number): boolean {
    const known = lastPriceOf(offer, price)
    const isFresh = known && at >= known.askedAt && at < known.askedAt + goodForSeconds
    return !isFresh || quotes.open(known.quote, offer, price) === undefined
  }

  /** No answer is no price, and least of all a price of nothing. */
  async function ask({ offer, price, asset, tell }: Pricing, askedAt: number): Promise<void> {
    const key = keyOf(offer, price)
    const before = lastPriceOf(offer, price)
    const where = { offer: offer.id, network: price.network, asset: asset.symbol }
    try {
      const signal = AbortSignal.timeout(answerMilliseconds)
      const answer = await inTime(() => tell({ ...where, signal }), signal)
      const promise = { amount: parsePriceAnswer(answer, asset), expiresAt: askedAt + quoteSeconds }
      lastPrices.set(key, { ...promise, askedAt, quote: quotes.make(offer, price, promise) })
      if (before === null) log.info(where, "the price function answers again")
    } catch (error) {
      lastPrices.set(key, null)
      if (before !== null)
        log.warn({ ...where, err: error }, "the price function failed; nothing is sold at it")
    }
  }

  return {
    offers,
    current: () => list,
    refresh: feed.refresh,
    start() {
      if (pricing.length > 0) feed.start()
    },
    stop: feed.stop,
  }
}

const keyOf = (offer: Offer, { network, scheme, asset }: Price): string =>
  `${offer.ref} ${network} ${scheme} ${asset}`

/** Resolves with the result of the work, or rejects with the reason of the signal when that aborts first. */
function inTime<T>(work: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  })
  return Promise.race([Promise.resolve().then(work), late])
}
