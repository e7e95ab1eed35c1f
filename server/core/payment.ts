/** Matches the claims of a payment payload with the offers of the service. It refuses by throwing. */

import { networks } from "../../shared/networks/index.ts"
import { type AssetInfo, findAsset, type NetworkInfo } from "../../shared/networks/network.ts"
import { Refusal } from "../../shared/refusals.ts"
import { findScheme, schemeNames } from "../../shared/schemes/index.ts"
import { PayloadError, type Scheme, type SignedTransfer } from "../../shared/schemes/scheme.ts"
import { type Address, parseAddress } from "../../shared/values/evm.ts"
import { type PaymentPayload, paymentPayloadSchema } from "../../shared/x402/messages.ts"
import type { Offer, OfferBoard, Price, SetPrice } from "./offers.ts"

/** A payload read and located: enough to know its once-only key, nothing about whether it is acceptable. */
export type LocatedPayment = {
  readonly accepted: PaymentPayload["accepted"]
  /** Of the x402 `payment-identifier` extension, read as an Idempotency-Key. */
  readonly identifier: string | undefined
  readonly scheme: Scheme
  readonly network: NetworkInfo
  readonly asset: AssetInfo
  readonly transfer: SignedTransfer
  /** The redemption key. */
  readonly key: string
}

/** A payment that matches an offer on every point that can be checked without a signature or a chain. */
export type Payment = LocatedPayment & { readonly offer: Offer; readonly price: SetPrice }

/** Reads the envelope leniently and the payload strictly. */
export function locatePayment(input: unknown): LocatedPayment {
  const parsed = paymentPayloadSchema.safeParse(input)
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join(".")
    throw new Refusal("payment_malformed", where ? `Look at ${where}.` : undefined)
  }
  const { accepted, payload, extensions } = parsed.data
  const scheme = findScheme(accepted.scheme, accepted.extra?.assetTransferMethod)
  if (!scheme) throw new Refusal("scheme_mismatch", `Wanted ${schemeNames.join(" or ")}.`)
  const network = networks.get(accepted.network)
  if (!network) throw new Refusal("network_mismatch", "The network is not known here.")
  const address = parseAddress(accepted.asset)
  if (!address) throw new Refusal("payment_malformed", "Look at accepted.asset.")
  const asset = findAsset(network, address)
  if (!asset) throw new Refusal("asset_mismatch", "The asset is not known on this network.")
  const transfer = readTransfer(scheme, payload, address)
  return {
    accepted,
    identifier: extensions?.["payment-identifier"]?.info?.id ?? undefined,
    scheme,
    network,
    asset,
    transfer,
    key: scheme.redemptionKey(network.chainId, address, transfer),
  }
}

function readTransfer(scheme: Scheme, payload: unknown, asset: Address): SignedTransfer {
  try {
    return scheme.parse(payload, asset)
  } catch (error) {
    if (error instanceof PayloadError) throw new Refusal("payment_malformed", error.message)
    throw error
  }
}

/** How long before its end a payment must arrive, beside the time its settlement is expected to take. */
const minimumValiditySeconds = 60
export const longestPaymentSeconds = 3600

/**
 * Finds the offer by the reference in `accepted.extra.offer` and compares everything with the server's own terms: the
 * amount, asset, network, recipient and window of an offer are never read from the payload. An amount that the offer does
 * not fix is that of the quote, which only the service can have made. The window of the payment is checked by
 * {@link requireWindow}.
 */
export function matchPayment(payment: LocatedPayment, board: OfferBoard): Payment {
  const { accepted, transfer, network } = payment
  const ref = accepted.extra?.offer
  if (ref === undefined)
    throw new Refusal("offer_unknown", "Wanted the reference of an offer in accepted.extra.offer.")
  const offer = board.find(ref, (found) => signedAt(transfer, found.prices[0]))
  if (offer === "unknown") throw new Refusal("offer_unknown")
  if (offer === "expired") throw new Refusal("offer_expired")

  const onNetwork = offer.prices.filter((price) => price.network === network.id)
  if (onNetwork.length === 0) throw new Refusal("network_mismatch")
  const ofAsset = onNetwork.filter((price) => price.asset === parseAddress(payment.asset.address))
  if (ofAsset.length === 0) throw new Refusal("asset_mismatch")
  const listed = ofAsset.find((each) => each.scheme === payment.scheme.id)
  if (!listed) throw new Refusal("scheme_mismatch")
  const price = { ...listed, amount: listed.amount ?? quotedAmount(payment, offer, listed, board) }
  if (transfer.payTo !== price.payTo) throw new Refusal("recipient_mismatch")
  if (transfer.value !== price.amount || accepted.amount !== price.amount.toString())
    throw new Refusal("amount_mismatch", `Wanted ${price.amount}.`)
  if (transfer.payer === price.payTo) throw new Refusal("payer_unacceptable", "The payer is the recipient.")
  return { ...payment, offer, price }
}

/** Returns the latest moment at which the payer can have read the price. */
const signedAt = ({ validBefore }: SignedTransfer, price: Price | undefined): number =>
  Number(validBefore) - (price?.maxTimeoutSeconds ?? 0)

function quotedAmount(
  { accepted, transfer }: LocatedPayment,
  offer: Offer,
  price: Price,
  { openQuote }: OfferBoard,
): bigint {
  const quote = accepted.extra?.quote
  const quoted = quote === undefined ? undefined : openQuote(quote, offer, price)
  if (!quoted) throw new Refusal("quote_invalid")
  if (signedAt(transfer, price) > quoted.expiresAt) throw new Refusal("quote_expired")
  return quoted.amount
}

/** Throws a Refusal unless the payment can be settled now, with time to spare. */
export function requireWindow({ transfer, network }: LocatedPayment, now: number): void {
  const wanted = minimumValiditySeconds + 2 * network.blockSeconds
  if (transfer.validBefore < BigInt(now + wanted))
    throw new Refusal("validity_too_short", `Wanted at least ${wanted} seconds.`)
  if (transfer.validBefore > BigInt(now + longestPaymentSeconds))
    throw new Refusal("validity_too_long", `Wanted at most ${longestPaymentSeconds} seconds.`)
  if (transfer.validAfter >= BigInt(now)) throw new Refusal("not_yet_valid")
}

/** The value in millionths of the asset's nominal currency, rounded up: what exposure is counted in. */
export function nominalValue(value: bigint, asset: AssetInfo): bigint {
  const unit = 10n ** BigInt(asset.decimals)
  return (value * 1_000_000n + unit - 1n) / unit
}

/** Returns the value of a payment for limits and costs. */
export const nominalOf = ({ transfer, asset }: LocatedPayment): bigint => nominalValue(transfer.value, asset)
