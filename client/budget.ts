/** The budget: counts everything that was signed, because a signature can become money whatever its receiver says. */
import { formatAmount, parseAmount } from "../shared/amount.ts"
import { BudgetRefusal, PolicyRefusal } from "./errors.ts"
import type { ClientStore, Counted, Limits, Spending, SpendingRefusal } from "./store.ts"

export const daySeconds = 86_400
const microDecimals = 6

/** Millionths of the currency, rounded up: a limit errs on the side of the payer. */
export function microsOf(units: bigint, decimals: number): bigint {
  const scale = 10n ** BigInt(decimals)
  return (units * 10n ** BigInt(microDecimals) + scale - 1n) / scale
}

/** `"0.05"` is 50000n. Throws an AmountError for anything else than a decimal of at most 6 places. */
export const parseMicros = (text: string): bigint => parseAmount(text, microDecimals)
export const formatMicros = (micros: bigint): string => formatAmount(micros, microDecimals)

export type Expense = Pick<Spending, "micros" | "payTo" | "isApproved">

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
  const { recipients } = counted
  const isKnown = recipients.length === 0 || recipients.includes(payTo)
  return isKnown || isApproved ? undefined : { kind: "recipient_changed", recipients }
}

/** Whether a spending that the service gave up may count no more: one purchase's worth a day, and never more. */
export const mayGiveBack = (micros: bigint, givenBack: bigint, most: bigint): boolean =>
  givenBack + micros <= most

/** The refusal as the error that names the rule and the figures. */
function errorOf(refusal: SpendingRefusal, { micros, payTo }: Expense): BudgetRefusal | PolicyRefusal {
  if (refusal.kind === "over")
    return new BudgetRefusal(refusal.rule, "The purchase is over the budget.", {
      action: "stop",
      found: `${formatMicros(micros)} with ${formatMicros(refusal.counted)} counted`,
      wanted: `at most ${formatMicros(refusal.limit)}`,
    })
  return new PolicyRefusal(
    "recipient_changed",
    "The seller wants to be paid at an address not seen before.",
    {
      action: "stop",
      found: payTo,
      wanted: `${refusal.recipients.join(" or ")}, or an approval`,
    },
  )
}

export type Budget = ReturnType<typeof createBudget>

/** `now` in seconds. */
export function createBudget(store: ClientStore, limits: Limits, now: () => number) {
  return {
    /** Throws as `reserve` would, and books nothing. */
    async check(expense: Expense & Pick<Spending, "origin" | "offer">): Promise<void> {
      const refusal = refusalOf(expense, await store.counted(expense, now()), limits)
      if (refusal) throw errorOf(refusal, expense)
    },
    /** Before signing. Throws a {@link BudgetRefusal} that names the limit; false when the claim is lost. */
    async reserve(spending: Spending): Promise<boolean> {
      const reserved = await store.reserve(spending, limits, now())
      if (reserved.kind === "over" || reserved.kind === "recipient_changed") throw errorOf(reserved, spending)
      return reserved.kind === "reserved"
    },
    /** See {@link ClientStore.giveBack}. */
    giveBack: (reservation: string, countsUntil: number): Promise<void> =>
      store.giveBack(reservation, { countsUntil, most: limits.perPurchase, now: now() }),
    /** What counts against the limits of an offer, and whom its origin may be paid at. */
    counted: (of: Pick<Spending, "origin" | "offer">): Promise<Counted> => store.counted(of, now()),
  }
}
