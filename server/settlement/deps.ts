/** The dependencies of settlement on one network, and the step boundaries that it reports. */
import type { Chain, Relayer } from "../ports/chain.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"

/** Boundaries at which the process may die; each is passed once for every payment, transaction or receipt. */
export const settlementSteps = [
  "simulated",
  "signed",
  "stored",
  "sent",
  "recorded",
  "receipt-read",
  "concluded",
] as const
export type SettlementStep = (typeof settlementSteps)[number]

/** States in which a payment waits for nothing, or for its payer or an operator only. */
export type SettlementOutcome = "paid" | "suspended" | "failed" | "dead"

export type SettlementDeps = {
  readonly store: Store
  readonly chain: Chain
  /** Their accounts pay gas; the first one is the one that simulates. */
  readonly relayers: readonly [Relayer, ...Relayer[]]
  /** Blocks until a payment counts, its own included. */
  readonly confirmations: number
  /** Gas of failed settlements in an hour, above which the log has an error. */
  readonly failedGasBudget: bigint
  readonly now: Now
  /** In [0, 1). */
  readonly chance: () => number
  readonly log: Logger
  readonly onStep?: (step: SettlementStep) => void
  /** A settlement failed or is suspended, or was, so gates must know more than before. */
  readonly onEnded?: () => void
  /** A transaction with so many payments of plain payers is mined and took this gas. */
  readonly onMined?: (gas: bigint, payments: number) => void
  /** A payment came so far, so many seconds after its sale. */
  readonly onOutcome?: (outcome: SettlementOutcome, seconds: number) => void
  /** These are paid, suspended or failed. */
  readonly onConcluded?: (keys: readonly string[]) => void
}
