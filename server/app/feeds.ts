/** Opens the feeds: the copies of keys, revocations, whitelist and prices that requests are answered from. */
import type { Config } from "../config/config.ts"
import { createOfferBoard, type OfferBoard } from "../core/offers.ts"
import { type PriceFunctions, pricingOf } from "../core/pricing.ts"
import { createFeed, type Feed } from "../feeds/feed.ts"
import { createPriceList, type PriceList } from "../feeds/price-list.ts"
import { createQuotes } from "../feeds/quote-seals.ts"
import { createRevocations, type Revocations } from "../feeds/revocation-feed.ts"
import { createWhitelist, type Whitelist } from "../feeds/whitelist-feed.ts"
import type { Keys } from "../ports/keys.ts"
import type { Books } from "./books.ts"
import type { Runtime } from "./runtime.ts"

export type Feeds = {
  readonly board: OfferBoard
  readonly keyFeed: Feed
  readonly prices: PriceList
  readonly revocations: Revocations
  readonly whitelist: Whitelist
  /** A grant ended in this process: the gate need not wait for the next poll. */
  readonly noteEnded: () => void
}

/** Each feed has been read once when this resolves. */
export async function openFeeds(
  config: Config,
  { keys, functions }: { readonly keys: Keys; readonly functions: PriceFunctions },
  { store, records }: Books,
  { now, log }: Runtime,
): Promise<Feeds> {
  const quotes = createQuotes(keys, config.issuer)
  const board = createOfferBoard(records, config.quoteSeconds, quotes.open)
  const keyFeed = createFeed({ now, log }, { name: "the keys", read: keys.refresh })
  const revocations = createRevocations({ store, now, log })
  const whitelist = createWhitelist({ store, now, log })
  const prices = createPriceList(
    { quotes, now, log },
    {
      offers: board.current,
      pricing: pricingOf(board.current, functions),
      quoteSeconds: config.quoteSeconds,
      perPayment: config.limits.perPayment,
    },
  )
  await Promise.all([keyFeed, revocations, whitelist, prices].map((each) => each.refresh()))
  const noteEnded = () => {
    revocations.refresh().catch((error: unknown) => log.warn({ err: error }, "revocations could not be read"))
  }
  return { board, keyFeed, prices, revocations, whitelist, noteEnded }
}
