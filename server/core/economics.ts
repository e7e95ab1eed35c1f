/** Computes the figures by which buyers compare offers: unit price, and calls at which an offer breaks even. */
import type { OfferTerms } from "../../shared/x402/messages.ts"
import type { SetPrice } from "./offers.ts"
import type { PricedOffer } from "./pricing.ts"

type Economics = Pick<OfferTerms, "reusable" | "value" | "unitPrice" | "breakEvenCalls">

/** `others` are on sale beside it; without them it has nothing to be compared with. */
export function economicsOf(offer: PricedOffer, others: readonly PricedOffer[]): Economics {
  const [price] = offer.prices
  const { units, value } = offer
  const single = price && others.filter(isSingle).flatMap(({ prices }) => prices.filter(isLike(price)))
  const cheapest = single?.reduce<bigint | undefined>(
    (least, { amount }) => (least === undefined || amount < least ? amount : least),
    undefined,
  )
  return {
    reusable: !isSingle(offer),
    ...(value !== null && { value }),
    ...(price && units !== null && { unitPrice: dividedUp(price.amount, BigInt(units)).toString() }),
    ...(price &&
      cheapest !== undefined &&
      !isSingle(offer) && { breakEvenCalls: Number(dividedUp(price.amount, cheapest)) }),
  }
}

/** An offer for one call of the usual cost. */
const isSingle = ({ units }: PricedOffer): boolean => units === 1

const isLike =
  ({ network, asset }: SetPrice) =>
  (other: SetPrice): boolean =>
    other.network === network && other.asset === asset

const dividedUp = (amount: bigint, by: bigint): bigint => (amount + by - 1n) / by
