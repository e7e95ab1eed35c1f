/** Translates x402 v1 to v2 and back at the rim, so that nothing behind knows v1. */
import { networks } from "../../shared/networks/index.ts"
import { Refusal } from "../../shared/refusals.ts"
import { findScheme } from "../../shared/schemes/index.ts"
import { PayloadError } from "../../shared/schemes/scheme.ts"
import { parseAddress } from "../../shared/values/evm.ts"
import type { PaymentRequirements, SettlementResponse } from "../../shared/x402/messages.ts"
import { type PaymentRequiredV1, paymentPayloadV1Schema } from "../../shared/x402/messages-v1.ts"

/** The v1 body of a 402. Lists only networks that v1 clients know, because one unknown entry makes them refuse all. */
export function bodyV1(terms: {
  readonly url: string
  readonly error: string
  readonly message: string
  readonly accepts: readonly PaymentRequirements[]
}): string | undefined {
  const accepts = terms.accepts.flatMap((entry) => {
    const network = networks.get(entry.network)?.v1Name
    if (network === undefined) return []
    const { name = "", version = "", offer = "" } = entry.extra ?? {}
    return [
      {
        scheme: entry.scheme,
        network,
        maxAmountRequired: entry.amount,
        resource: terms.url,
        description: offer,
        mimeType: "application/json",
        payTo: entry.payTo,
        maxTimeoutSeconds: entry.maxTimeoutSeconds,
        asset: entry.asset,
        extra: { name, version },
      },
    ]
  })
  if (accepts.length === 0) return undefined
  const { error, message } = terms
  return JSON.stringify({ x402Version: 1, error, message, accepts } satisfies PaymentRequiredV1)
}

/**
 * Translates a v1 payment to v2: the entry on sale with the recipient and the amount that were signed. Where none
 * matches, the first entry of the network shows in the refusal which terms were wanted.
 */
export function paymentOfV1(input: unknown, onSale: readonly PaymentRequirements[]): unknown {
  const parsed = paymentPayloadV1Schema.safeParse(input)
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join(".")
    throw new Refusal("payment_malformed", `In the x402 v1 payment look at ${where || "the whole"}.`)
  }
  const { scheme, network, payload } = parsed.data
  const entries = onSale.filter(
    (entry) => entry.scheme === scheme && networks.get(entry.network)?.v1Name === network,
  )
  const [first] = entries
  if (!first) throw new Refusal("network_mismatch", "Nothing is sold on that network by x402 v1.")
  const meant = entries.find((entry) => isSignedFor(entry, payload))
  return { x402Version: 2, accepted: meant ?? first, payload }
}

/** A payload that its scheme cannot read matches no entry here and is refused with v2 payments. */
function isSignedFor(entry: PaymentRequirements, payload: unknown): boolean {
  const asset = parseAddress(entry.asset)
  const scheme = findScheme(entry.scheme, entry.extra?.assetTransferMethod)
  if (!asset || !scheme) return false
  try {
    const { payTo, value } = scheme.parse(payload, asset)
    return entry.amount === value.toString() && parseAddress(entry.payTo) === payTo
  } catch (error) {
    if (error instanceof PayloadError) return false
    throw error
  }
}

/** The value of `X-PAYMENT-RESPONSE`, which names the network in v1's words. */
export const settlementOfV1 = (settlement: SettlementResponse): SettlementResponse => ({
  ...settlement,
  network: networks.get(settlement.network)?.v1Name ?? settlement.network,
})
