/** Leaves the prices of closed assets out of the price list, so that nobody signs a payment that would be refused. */
import type { PricedOffer } from "../core/pricing.ts"
import type { AssetWatch } from "./asset-watch.ts"
import type { PriceList } from "./price-list.ts"

/** The array of `current` stays the same until a price or the state of an asset changes. */
export function createOpenPrices(
  prices: PriceList,
  assets: Pick<AssetWatch, "isClosed" | "version">,
): PriceList {
  let seen: readonly PricedOffer[] | undefined
  let version = -1
  let open: readonly PricedOffer[] = []
  return {
    ...prices,
    current() {
      const all = prices.current()
      if (seen === all && version === assets.version()) return open
      seen = all
      version = assets.version()
      open = all.flatMap((offer) => {
        const left = offer.prices.filter(({ network, asset }) => !assets.isClosed(network, asset))
        return left.length > 0 ? [{ ...offer, prices: left }] : []
      })
      return open
    },
  }
}
