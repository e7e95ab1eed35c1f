/** Asking somebody before a purchase: above a price, and where the seller wants his money elsewhere than before. */
import { formatAmount } from "../../shared/values/amount.ts"
import { formatMicros } from "../core/budget-rules.ts"
import { PolicyRefusal } from "../core/errors.ts"
import type { Place } from "../core/origins.ts"
import type { Choice } from "../core/policy.ts"

/** A purchase in the words of a person who decides on it. */
export type PurchaseTerms = {
  readonly origin: string
  /** What it gives access to. */
  readonly resource: string
  readonly offer: string
  readonly scope: string
  /** What it comes to as a decimal of the currency, rounded up to millionths. */
  readonly price: string
  /** What is paid, as a decimal of the asset. */
  readonly amount: string
  /** A symbol such as `USDC`. */
  readonly asset: string
  /** CAIP-2. */
  readonly network: string
  readonly payTo: string
  readonly durationSeconds: number
  /** How many calls of the usual cost it is good for; null when time alone ends it. */
  readonly calls: number | null
}

/** Its price is above `budget.approveAbove`, or the seller was paid at another address before. */
export type ApprovalReason = "price" | "recipient_changed"

export type Approve = (purchase: PurchaseTerms & { readonly reason: ApprovalReason }) => Promise<boolean>

/** How long other processes leave the purchase to the one that asks. */
export const approvalSeconds = 600

export type Approval = {
  /** Why somebody has to be asked; undefined when nobody has. */
  reasonFor(choice: Choice): ApprovalReason | undefined
  /** Throws `approval_denied` for anything but a yes. */
  ask(choice: Choice, place: Place, reason: ApprovalReason): Promise<void>
}

/** `above` in millionths of the currency. */
export const createApproval = (approve: Approve | undefined, above: bigint): Approval => ({
  reasonFor(choice) {
    if (choice.recipient === "new") return "recipient_changed"
    return approve && choice.micros > above ? "price" : undefined
  },
  async ask(choice, place, reason) {
    const purchase = termsOf(choice, place)
    // An error of the hook is its owner's business; here it means that nobody said yes.
    const answer = await approve?.({ ...purchase, reason }).catch(() => false)
    if (answer !== true)
      throw new PolicyRefusal("approval_denied", "The purchase was not approved.", {
        action: "stop",
        found: `${purchase.price} for ${purchase.offer} of ${purchase.origin}`,
      })
  },
})

export const termsOf = (choice: Choice, { resource }: Pick<Place, "resource">): PurchaseTerms => ({
  origin: resource.origin,
  resource: resource.href,
  offer: choice.offer,
  scope: choice.terms.scope,
  price: formatMicros(choice.micros),
  amount: formatAmount(choice.amount, choice.asset.decimals),
  asset: choice.asset.symbol,
  network: choice.network.id,
  payTo: choice.payTo,
  durationSeconds: choice.terms.durationSeconds,
  calls: choice.terms.reusable === false ? 1 : (choice.terms.calls ?? null),
})
