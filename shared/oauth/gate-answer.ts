/** Builds the answer of a gate that refuses: status, challenge and, where paying helps, the price. */
import { type GateReason, gateErrorBody, gateRefusals } from "../refusals.ts"
import { paymentRequiredHeader } from "../x402/messages.ts"
import { type ChallengePlace, gateChallenge } from "./challenge.ts"

/** An answer without a framework. */
export type PlainAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The two forms of a price: the value of `PAYMENT-REQUIRED`, and the body. */
export type PriceForms = { readonly header: string; readonly body: string }

/** Whether buying is a remedy, so that the answer needs a price. */
export const needsPrice = (reason: GateReason): boolean => gateRefusals[reason].status === 402

/**
 * `price` belongs to a 402 and to nothing else: every x402 client pays when it sees one. `found` adds to the sentence of
 * any other answer.
 */
export function refusalAnswer(
  reason: GateReason,
  place: ChallengePlace,
  price?: PriceForms,
  found?: string,
): PlainAnswer {
  const row = gateRefusals[reason]
  return {
    status: row.status,
    headers: {
      "cache-control": "no-store",
      "content-type": "application/json",
      "www-authenticate": gateChallenge(reason, place),
      ...("retryAfterSeconds" in row && { "retry-after": String(row.retryAfterSeconds) }),
      ...(price && { [paymentRequiredHeader]: price.header }),
    },
    body: price?.body ?? JSON.stringify(gateErrorBody(reason, found)),
  }
}
