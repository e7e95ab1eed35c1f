/** What is on sale, as the service works with it. */
import type { z } from "zod"
import { parseAmount } from "../../shared/amount.ts"
import { type Address, sha256, stringToBytes } from "../../shared/evm.ts"
import { findAsset } from "../../shared/network.ts"
import { networks } from "../../shared/networks/index.ts"
import { canonicalContent, type Offer, type OfferContent, type Price } from "../core/offers.ts"
import { nominalValue } from "../core/payment.ts"
import type { offerSchema, priceSchema } from "./schema.ts"
import { show } from "./show.ts"
import { WrongValue, wantAddress } from "./values.ts"

type OfferContext = {
  payTo: Address
  maxTimeoutSeconds: number
  networks: Record<string, unknown>
  perPayment: bigint
  units: number | null
}

export function readOffer(raw: z.output<typeof offerSchema>, context: OfferContext): Offer {
  const prices = raw.prices.map((price) => readPrice(price, context))
  const content: OfferContent = {
    id: raw.id,
    scope: raw.scope,
    durationSeconds: raw.durationSeconds,
    units: context.units,
    value: raw.value ?? null,
    // Nobody is told of a token at once that the limit would never let him have.
    settle: prices.some((price) => isDear(price, context.perPayment)) ? "first" : raw.settle,
    dpop: raw.dpop,
    prices,
  }
  return { ...content, ref: `${raw.id}@${sha256(stringToBytes(canonicalContent(content))).slice(2, 10)}` }
}

function isDear({ network, asset, amount: units }: Price, perPayment: bigint): boolean {
  const info = networks.get(network)
  const known = info && findAsset(info, asset)
  return known !== undefined && nominalValue(units, known) > perPayment
}

function readPrice(raw: z.output<typeof priceSchema>, context: OfferContext): Price {
  const network = networks.get(raw.network)
  if (!network || !(raw.network in context.networks))
    throw new WrongValue(`prices: found the network ${show(raw.network)}, wanted one of "networks"`)
  const asset = findAsset(network, raw.asset)
  if (!asset)
    throw new WrongValue(
      `prices: found the asset ${show(raw.asset)}, wanted ${network.assets.map((each) => each.symbol).join(" or ")}`,
    )
  const units = parseAmount(raw.amount, asset.decimals)
  if (units === 0n)
    throw new WrongValue("prices: found a price of 0; nothing is given away by a slip of the pen")
  return {
    network: network.id,
    scheme: "exact",
    asset: wantAddress(asset.address),
    amount: units,
    payTo: context.payTo,
    maxTimeoutSeconds: context.maxTimeoutSeconds,
  }
}
