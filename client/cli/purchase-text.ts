/** Describes a purchase in a line, for the person who decides on it. */
import { printable } from "../../shared/refusals.ts"
import type { Approve, PurchaseTerms } from "../purchase/approval.ts"
import { nameOf } from "../purchase/prepare-payment.ts"

export const questionOf = (purchase: Parameters<Approve>[0]): string =>
  purchase.reason === "price"
    ? `Pay ${costOf(purchase)}?`
    : `${purchase.origin} was paid at another address before. Pay ${costOf(purchase)}, to ${purchase.payTo}?`

export function costOf(purchase: PurchaseTerms): string {
  const { amount, asset, network, origin, offer, scope, durationSeconds, calls } = purchase
  const limit = calls === null ? "" : calls === 1 ? ", 1 call" : `, ${calls} calls`
  return `${amount} ${asset} (${network}) to ${origin} for ${quoted(nameOf(offer))}: ${quoted(scope)}, ${durationSeconds} s${limit}`
}

/** Cuts and quotes a text of the seller: it could pretend to be approved, or move the cursor. */
export const quoted = (text: string): string => `"${printable(text).slice(0, 60)}"`
