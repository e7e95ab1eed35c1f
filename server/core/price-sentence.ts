/** Writes the sentence for a person that every 402 contains. */
import { networks } from "../../shared/networks/index.ts"
import { findAsset } from "../../shared/networks/network.ts"
import { formatAmount } from "../../shared/values/amount.ts"
import type { PricedOffer } from "./pricing.ts"

/** Names the first price on sale, says whether there are others, and names the token endpoint. */
export function priceSentence(offers: readonly PricedOffer[], tokenEndpoint: string): string {
  const [first, ...others] = offers.flatMap(({ prices }) => prices)
  if (!first) return "Access is not on sale here: only callers on the whitelist get tokens."
  const network = networks.get(first.network)
  const asset = network && findAsset(network, first.asset)
  const price = asset
    ? `${formatAmount(first.amount, asset.decimals)} ${asset.symbol} on ${network.name}`
    : `${first.amount} units of ${first.asset} on ${first.network}`
  const choice = others.length > 0 ? " or another price of this list" : ""
  return `Access costs ${price}${choice}: buy a token with a signed x402 payment at POST ${tokenEndpoint}.`
}
