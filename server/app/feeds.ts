/** Opens the feeds: copies of keys, revocations, whitelist, prices and assets, from which requests are answered. */

import { lowerAddress } from "../../shared/values/evm.ts"
import type { Config } from "../config/config.ts"
import { createOfferBoard, type OfferBoard } from "../core/offers.ts"
import { type PriceFunctions, pricingOf } from "../core/pricing.ts"
import { type AssetWatch, createAssetWatch, type WatchedAsset } from "../feeds/asset-watch.ts"
import { createFeed, type Feed } from "../feeds/feed.ts"
import { createOpenPrices } from "../feeds/open-prices.ts"
import { createPriceList, type PriceList } from "../feeds/price-list.ts"
import { createQuotes } from "../feeds/quote-seals.ts"
import { createRevocations, type Revocations } from "../feeds/revocation-feed.ts"
import { createWhitelist, type Whitelist } from "../feeds/whitelist-feed.ts"
import type { Chain, Relayer } from "../ports/chain.ts"
import type { Keys } from "../ports/keys.ts"
import type { Books } from "./books.ts"
import type { Runtime } from "./runtime.ts"

export type Feeds = {
  readonly board: OfferBoard
  readonly assets: AssetWatch
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
  deps: {
    readonly keys: Keys
    readonly functions: PriceFunctions
    readonly chains: ReadonlyMap<string, Chain>
    readonly relayers: readonly Pick<Relayer, "address">[]
  },
  { store, records }: Books,
  { now, log }: Runtime,
): Promise<Feeds> {
  const { keys, functions } = deps
  const quotes = createQuotes(keys, config.issuer)
  const board = createOfferBoard(records, config.quoteSeconds, quotes.open)
  const keyFeed = createFeed({ now, log }, { name: "the keys", read: keys.refresh })
  const revocations = createRevocations({ store, now, log })
  const whitelist = createWhitelist({ store, now, log })
  const assets = createAssetWatch(
    { now, log },
    { assets: assetsOnSale(config, deps.chains), relayers: deps.relayers.map(({ address }) => address) },
  )
  const list = createPriceList(
    { quotes, now, log },
    {
      offers: board.current,
      pricing: pricingOf(board.current, functions),
      quoteSeconds: config.quoteSeconds,
      perPayment: config.limits.perPayment,
    },
  )
  await Promise.all([keyFeed, revocations, whitelist, list].map((each) => each.refresh()))
  const prices = createOpenPrices(list, assets)
  const noteEnded = () => {
    revocations.refresh().catch((error: unknown) => log.warn({ err: error }, "revocations could not be read"))
  }
  return { board, assets, keyFeed, prices, revocations, whitelist, noteEnded }
}

const assetsOnSale = (
  { offers, payTo }: Config,
  chains: ReadonlyMap<string, Chain>,
): readonly WatchedAsset[] =>
  [...chains.values()].flatMap((chain) => {
    const prices = offers.flatMap((offer) =>
      offer.prices.filter(({ network }) => network === chain.network.id),
    )
    const sold = new Set<string>(prices.map(({ asset }) => asset))
    const assets = chain.network.assets.filter(({ address }) => sold.has(lowerAddress(address)))
    return assets.map((asset) => ({ chain, asset, payTos: [payTo] }))
  })
