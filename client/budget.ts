/** The budget: counts everything that was signed, because a signature can become money whatever its receiver says. */
import { formatAmount, parseAmount } from "../shared/amount.ts"
import { BudgetRefusal } from "./errors.ts"

const daySeconds = 86_400
const microDecimals = 6

/** Millionths of the currency, rounded up: a limit errs on the side of the payer. */
export function microsOf(units: bigint, decimals: number): bigint {
  const scale = 10n ** BigInt(decimals)
  return (units * 10n ** BigInt(microDecimals) + scale - 1n) / scale
}

/** `"0.05"` is 50000n. Throws an AmountError for anything else than a decimal of at most 6 places. */
export const parseMicros = (text: string): bigint => parseAmount(text, microDecimals)
export const formatMicros = (micros: bigint): string => formatAmount(micros, microDecimals)

export type Limits = {
  /** All in millionths of the currency. */
  readonly perPurchase: bigint
  readonly perDay: bigint
  readonly perOriginPerDay: bigint
}

export type Reservation = {
  /** Nothing was signed after all. */
  cancel(): void
  /**
   * The service said no, or that it lets us in free, and may be believed once the signature is worthless. Since only its
   * word says that no money moved, no more than one purchase's worth a day is given back: a seller who says so and settles
   * all the same can take `perPurchase` over the day's budget, and never more.
   */
  release(validBefore: number): void
}

export type Budget = {
  /** Before signing. Throws a {@link BudgetRefusal} that names the limit. */
  reserve(micros: bigint, origin: string): Reservation
  /** What counts now. */
  counted(): bigint
}

type Entry = { readonly micros: bigint; readonly origin: string; readonly signedAt: number; until: number }

/** `now` in seconds. Every entry counts for a sliding day from its signing. */
export function createBudget(limits: Limits, now: () => number): Budget {
  let entries: Entry[] = []

  const sum = (of: readonly Entry[]): bigint => of.reduce((total, entry) => total + entry.micros, 0n)
  const counting = (): Entry[] => entries.filter((entry) => entry.until > now())

  return {
    reserve(micros, origin) {
      // Released entries stay for their day, because they use up what may be released.
      entries = entries.filter((entry) => entry.signedAt + daySeconds > now())
      const live = counting()
      refuseOver("amount_over_limit", 0n, micros, limits.perPurchase)
      refuseOver("day_budget_spent", sum(live), micros, limits.perDay)
      const here = live.filter((entry) => entry.origin === origin)
      refuseOver("origin_budget_spent", sum(here), micros, limits.perOriginPerDay)
      const signedAt = now()
      const entry: Entry = { micros, origin, signedAt, until: signedAt + daySeconds }
      entries.push(entry)
      return {
        cancel: () => {
          entries = entries.filter((other) => other !== entry)
        },
        release(validBefore) {
          const released = entries.filter((other) => isReleased(other) && other.signedAt + daySeconds > now())
          if (!isReleased(entry) && sum(released) + micros <= limits.perPurchase)
            entry.until = Math.min(entry.until, validBefore)
        },
      }
    },
    counted: () => sum(counting()),
  }
}

const isReleased = (entry: Entry): boolean => entry.until < entry.signedAt + daySeconds

function refuseOver(
  rule: "amount_over_limit" | "day_budget_spent" | "origin_budget_spent",
  spent: bigint,
  micros: bigint,
  limit: bigint,
): void {
  if (spent + micros <= limit) return
  throw new BudgetRefusal(rule, "The purchase is over the budget.", {
    action: "stop",
    found: `${formatMicros(micros)} with ${formatMicros(spent)} counted`,
    wanted: `at most ${formatMicros(limit)}`,
  })
}
