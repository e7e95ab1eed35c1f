/** Reads the offers of a configuration into their canonical form. */
import type { z } from "zod"
import { findNetwork } from "../../shared/networks/index.ts"
import { findAsset } from "../../shared/networks/network.ts"
import { parseAmount } from "../../shared/values/amount.ts"
import { type Address, sha256, stringToBytes } from "../../shared/values/evm.ts"
import { canonicalContent, type Offer, type OfferContent, type Price } from "../core/offers.ts"
import { settleOf, shortestQuoteSeconds } from "../core/pricing.ts"
import type { offerSchema, priceSchema } from "./schema.ts"
import type { GeneratedOffer } from "./services.ts"
import { show } from "./show.ts"
import { requireAddress, WrongValue } from "./values.ts"

type OfferContext = {
  payTo: Address
  maxTimeoutSeconds: number
  networks: Record<string, unknown>
  perPayment: bigint
  units: number | null
  quoteSeconds: number
}

/** On every network, in its first asset. */
export function readGeneratedOffer(offer: GeneratedOffer, context: Omit<OfferContext, "units">): Offer {
  const { id, scope, durationSeconds, units, value, amount } = offer
  const prices = Object.keys(context.networks).flatMap((network) => {
    const [asset] = findNetwork(network)?.assets ?? []
    return asset ? [{ network, asset: asset.symbol, amount }] : []
  })
  const raw = { id, scope, durationSeconds, value, prices, calls: undefined }
  return readOffer({ ...raw, settle: "background", dpop: "optional" }, { ...context, units })
}

export function readOffer(raw: z.output<typeof offerSchema>, context: OfferContext): Offer {
  const prices = raw.prices.map((price) => readPrice(price, context))
  const content: OfferContent = {
    id: raw.id,
    scope: raw.scope,
    durationSeconds: raw.durationSeconds,
    units: context.units,
    value: raw.value ?? null,
    settle: settleOf({ settle: raw.settle, prices }, context.perPayment),
    dpop: raw.dpop,
    prices,
  }
  return { ...content, ref: `${raw.id}@${sha256(stringToBytes(canonicalContent(content))).slice(2, 10)}` }
}

function readPrice(raw: z.output<typeof priceSchema>, context: OfferContext): Price {
  const network = findNetwork(raw.network)
  if (!network || !(network.id in context.networks))
    throw new WrongValue(`prices: found the network ${show(raw.network)}, wanted one of "networks"`)
  const asset = findAsset(network, raw.asset)
  if (!asset)
    throw new WrongValue(
      `prices: found the asset ${show(raw.asset)}, wanted ${network.assets.map((each) => each.symbol).join(" or ")}`,
    )
  const units = raw.amount === undefined ? null : parseAmount(raw.amount, asset.decimals)
  if (units === 0n)
    throw new WrongValue("prices: found a price of 0; nothing is given away by a slip of the pen")
  if (units === null && context.quoteSeconds < shortestQuoteSeconds)
    throw new WrongValue(
      `prices: found no amount, wanted "quoteSeconds" of at least ${shortestQuoteSeconds} for what a function tells`,
    )
  return {
    network: network.id,
    scheme: "exact",
    asset: requireAddress(asset.address),
    amount: units,
    payTo: context.payTo,
    maxTimeoutSeconds: context.maxTimeoutSeconds,
  }
}
