/** Asks for approval before a purchase: above a price, or when the seller wants to be paid at another address. */
import { formatAmount } from "../../shared/values/amount.ts"
import { formatMicros } from "../core/budget-rules.ts"
import { PolicyRefusal } from "../core/errors.ts"
import type { Place } from "../core/origins.ts"
import type { Choice } from "../core/policy.ts"

/** A purchase in the words of a person who decides on it. */
export type PurchaseTerms = {
  readonly origin: string
  /** The resource that it opens. */
  readonly resource: string
  readonly offer: string
  readonly scope: string
  /** A decimal of the currency, rounded up to millionths. */
  readonly price: string
  /** A decimal of the asset. */
  readonly amount: string
  /** A symbol such as `USDC`. */
  readonly asset: string
  /** CAIP-2. */
  readonly network: string
  readonly payTo: string
  readonly durationSeconds: number
  /** How many calls of the usual cost it includes; null when only time ends it. */
  readonly calls: number | null
}

/** Its price is above `budget.approveAbove`, or the seller was paid at another address before. */
export type ApprovalReason = "price" | "recipient_changed"

export type Approve = (purchase: PurchaseTerms & { readonly reason: ApprovalReason }) => Promise<boolean>

/** How long the asking process keeps the purchase locked for others. */
export const approvalSeconds = 600

export type Approval = {
  /** The reason to ask; undefined when no approval is needed. */
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
    // An error of the hook counts as a no.
    let cause: unknown
    const ask = async () => approve?.({ ...purchase, reason })
    const answer = await ask().catch((error: unknown) => {
      cause = error
    })
    if (answer !== true)
      throw new PolicyRefusal("approval_denied", "The purchase was not approved.", {
        action: "stop",
        found: `${purchase.price} for ${purchase.offer} of ${purchase.origin}`,
        cause,
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
