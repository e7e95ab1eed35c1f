/** x402 v1 at the rim: its 402 and its payments are those of v2 in other words, so nothing behind knows of it. */

import { networks } from "../../shared/networks/index.ts"
import { Refusal } from "../../shared/refusals.ts"
import type { PaymentRequirements, SettlementResponse } from "../../shared/x402/messages.ts"
import { type PaymentRequiredV1, paymentPayloadV1Schema } from "../../shared/x402/messages-v1.ts"

/** The v1 body of a 402. Undefined where nothing is sold on a network that v1 clients know: one stranger spoils them all. */
export function bodyV1(terms: {
  readonly url: string
  readonly error: string
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
  return JSON.stringify({ x402Version: 1, error: terms.error, accepts } satisfies PaymentRequiredV1)
}

/**
 * A v1 payment as one of v2. Of the entries on sale it is for the first that has the recipient and the amount that were
 * signed; where none has, the first of the network shows in the refusal what was wanted.
 */
export function paymentOfV1(input: unknown, onSale: readonly PaymentRequirements[]): unknown {
  const parsed = paymentPayloadV1Schema.safeParse(input)
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join(".")
    throw new Refusal("payment_malformed", `In the x402 v1 payment look at ${where || "the whole"}.`)
  }
  const { scheme, network, payload } = parsed.data
  const { to, value } = payload.authorization
  const entries = onSale.filter(
    (entry) => entry.scheme === scheme && networks.get(entry.network)?.v1Name === network,
  )
  const meant = entries.find(
    (entry) => entry.amount === value && entry.payTo.toLowerCase() === to.toLowerCase(),
  )
  const accepted = meant ?? entries[0]
  if (!accepted) throw new Refusal("network_mismatch", "Nothing is sold on that network by x402 v1.")
  return { x402Version: 2, accepted, payload }
}

/** What `X-PAYMENT-RESPONSE` says: the network by its v1 name. */
export const settlementOfV1 = (settlement: SettlementResponse): SettlementResponse => ({
  ...settlement,
  network: networks.get(settlement.network)?.v1Name ?? settlement.network,
})
