/** The rules of the budget: limits, and amounts in millionths of the currency. */
import { formatAmount, parseAmount } from "../../shared/values/amount.ts"
import type { Address } from "../../shared/values/evm.ts"
import type { BudgetRule } from "./errors.ts"

export const daySeconds = 86_400
const microDecimals = 6

export type Limits = {
  readonly perPurchase: bigint
  readonly perDay: bigint
  readonly perOriginPerDay: bigint | undefined
  readonly perOrigin: bigint | undefined
  readonly perOffer: bigint | undefined
  readonly total: bigint | undefined
}

export type Spending = {
  readonly id: string
  /** The spending is reserved for the holder of this lock. */
  readonly lock: { readonly name: string; readonly holder: string }
  readonly micros: bigint
  readonly origin: string
  /** The offer's name at its origin, without the version of its terms. */
  readonly offer: string
  readonly payTo: Address
  /** All addresses in the first 402 of the origin; they become known recipients. */
  readonly recipients: readonly Address[]
  /** A person approved a recipient that is not known. */
  readonly isApproved: boolean
}

export type Counted = {
  /** In a sliding day. */
  readonly day: bigint
  readonly originDay: bigint
  /** Of all time. */
  readonly origin: bigint
  readonly offer: bigint
  readonly total: bigint
  /** Payments at the origin in the last hour that gave no access, since the last call that succeeded. */
  readonly refusals: number
  /** The addresses that payments to this origin may go to; none before the first payment. */
  readonly recipients: readonly Address[]
}

export type SpendingRefusal =
  | { readonly kind: "over"; readonly rule: BudgetRule; readonly counted: bigint; readonly limit: bigint }
  | { readonly kind: "recipient_changed"; readonly recipients: readonly Address[] }
  | { readonly kind: "paid_without_access"; readonly refusals: number }

/** Millionths of the currency, rounded up: a limit errs on the side of the payer. */
export function microsOf(units: bigint, decimals: number): bigint {
  const scale = 10n ** BigInt(decimals)
  return (units * 10n ** BigInt(microDecimals) + scale - 1n) / scale
}

/** `"0.05"` is 50000n. Throws an AmountError for anything else than a decimal of at most 6 places. */
export const parseMicros = (text: string): bigint => parseAmount(text, microDecimals)
export const formatMicros = (micros: bigint): string => formatAmount(micros, microDecimals)

export type Expense = Pick<Spending, "micros" | "payTo" | "isApproved">

export const refusalSeconds = 3_600
/** An origin that takes so many payments in an hour and gives no access gets no more in that hour. */
const mostRefusals = 3

/** The first rule that the expense breaks, in the order a reader would ask. */
export function refusalOf(
  { micros, payTo, isApproved }: Expense,
  counted: Counted,
  limits: Limits,
): SpendingRefusal | undefined {
  const rules = [
    ["amount_over_limit", 0n, limits.perPurchase],
    ["day_budget_spent", counted.day, limits.perDay],
    ["origin_budget_spent", counted.originDay, limits.perOriginPerDay],
    ["origin_total_spent", counted.origin, limits.perOrigin],
    ["offer_total_spent", counted.offer, limits.perOffer],
    ["total_spent", counted.total, limits.total],
  ] as const
  for (const [rule, sum, limit] of rules)
    if (limit !== undefined && sum + micros > limit) return { kind: "over", rule, counted: sum, limit }
  const { recipients, refusals } = counted
  if (refusals >= mostRefusals) return { kind: "paid_without_access", refusals }
  const isKnown = recipients.length === 0 || recipients.includes(payTo)
  return isKnown || isApproved ? undefined : { kind: "recipient_changed", recipients }
}

/** Whether a payment that the service did not take may stop counting: at most one purchase's worth a day. */
export const mayGiveBack = (micros: bigint, givenBack: bigint, most: bigint): boolean =>
  givenBack + micros <= most
