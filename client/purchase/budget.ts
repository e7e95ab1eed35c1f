/** The budget: counts every signature, because its receiver can turn it into money later, whatever the answer was. */
import {
  type Counted,
  type Expense,
  formatMicros,
  type Limits,
  refusalOf,
  type Spending,
  type SpendingRefusal,
} from "../core/budget-rules.ts"
import { BudgetRefusal, PolicyRefusal } from "../core/errors.ts"
import type { ClientStore } from "../wallet/store.ts"

/** The refusal as the error that names the rule and the figures. */
function errorOf(refusal: SpendingRefusal, { micros, payTo }: Expense): BudgetRefusal | PolicyRefusal {
  if (refusal.kind === "over")
    return new BudgetRefusal(refusal.rule, "The purchase is over the budget.", {
      action: "stop",
      found: `${formatMicros(micros)} with ${formatMicros(refusal.counted)} counted`,
      wanted: `at most ${formatMicros(refusal.limit)}`,
    })
  if (refusal.kind === "paid_without_access")
    return new PolicyRefusal("paid_without_access", "Payments at this origin gave no access.", {
      action: "stop",
      found: `${refusal.refusals} within an hour`,
      wanted: "a call that succeeds, or an hour without payments",
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
    /** Throws as `reserve` would, and reserves nothing. */
    async check(expense: Expense & Pick<Spending, "origin" | "offer">): Promise<void> {
      const refusal = refusalOf(expense, await store.sumSpending(expense, now()), limits)
      if (refusal) throw errorOf(refusal, expense)
    },
    /** Before signing. Throws a {@link BudgetRefusal} that names the limit; false when the lock is lost. */
    async reserve(spending: Spending): Promise<boolean> {
      const reserved = await store.reserve(spending, limits, now())
      if (reserved.kind !== "reserved" && reserved.kind !== "lock_lost") throw errorOf(reserved, spending)
      return reserved.kind === "reserved"
    },
    /** See {@link ClientStore.giveBack}. */
    giveBack: (reservation: string, countsUntil: number): Promise<void> =>
      store.giveBack(reservation, { countsUntil, most: limits.perPurchase, now: now() }),
    /** Adds up what counts against the limits of an offer, and lists the recipients of its origin. */
    sumSpending: (of: Pick<Spending, "origin" | "offer">): Promise<Counted> => store.sumSpending(of, now()),
  }
}
