/** Writes the results of settlement to the store, then logs them and wakes those who wait for them. */
import type { Move, Redemption } from "../core/redemption.ts"
import type { SettlementDeps, SettlementOutcome } from "./deps.ts"
import { createFailureAlarm } from "./failures.ts"
import type { Hints } from "./hints.ts"

/** `gas`: the cost of a try that did not pay. */
export type KeyedMove = Pick<Redemption, "key" | "acceptedAt"> & {
  readonly move: Move
  readonly gas?: bigint
}

export const moveTo = ({ key, acceptedAt }: Redemption, move: Move): KeyedMove => ({ key, acceptedAt, move })

/** Moves that end the wait of a buyer. */
const outcomes: ReadonlySet<Move["to"]> = new Set(["paid", "suspended", "failed"])

const isOutcome = (to: Move["to"]): to is SettlementOutcome => outcomes.has(to) || to === "dead"

export function createConclude(deps: SettlementDeps, hints: Hints) {
  const { store, failedGasBudget, now, log, onStep, onEnded, onConcluded, onOutcome } = deps
  const network = deps.chain.network.id
  const noteOutcome = createFailureAlarm(network, log)

  function report({ key, acceptedAt, move }: KeyedMove): void {
    if (isOutcome(move.to) && !(move.to === "suspended" && hints.suspended.has(key)))
      onOutcome?.(move.to, now() - acceptedAt)
    switch (move.to) {
      case "suspended":
        if (!hints.suspended.has(key))
          log.warn({ network, key, failure: move.failure }, "a payment is suspended; its grant opens nothing")
        hints.suspended.add(key)
        break
      case "paid":
        if (hints.suspended.delete(key))
          log.info({ network, key }, "a suspended payment is paid; its grant goes on")
        log.info({ network, key, transaction: move.evidence.transactionHash }, "settled")
        noteOutcome(key, false)
        break
      case "failed":
        hints.suspended.delete(key)
        noteOutcome(key, true)
        log.warn({ network, key, failure: move.failure }, "a settlement failed")
        break
      case "dead":
        log.error({ network, key, reason: move.error }, "a payment is given up until an operator retries it")
    }
  }

  /** Whether gates must hear of the move at once. Asked before the move is reported. */
  function changesAccess({ key, move }: KeyedMove): boolean {
    if (move.to === "suspended") return !hints.suspended.has(key)
    return move.to === "failed" || (move.to === "paid" && hints.suspended.has(key))
  }

  /** Logs the gas that failed tries cost in an hour; payers with code are refused once the budget is spent. */
  async function reportGas(): Promise<void> {
    const gas = await store.failedGas({ now: now() })
    const fields = { network, gas: gas.toString(), budget: failedGasBudget.toString() }
    if (gas >= failedGasBudget) log.error(fields, "failed settlements have spent the gas budget of an hour")
    else log.warn(fields, "a settlement cost gas and did not pay")
  }

  /** One write of the store: the moves, and the transaction that is done with them or in flight again. */
  return async function conclude(
    fence: number,
    moves: readonly KeyedMove[],
    transaction: { done?: number; reopened?: number } = {},
  ): Promise<void> {
    await store.conclude({ fence, ...transaction, moves, now: now() })
    const isNews = moves.some(changesAccess)
    hints.written += 1
    if (transaction.done !== undefined) hints.forget(transaction.done)
    for (const each of moves) report(each)
    if (moves.some(({ gas }) => gas !== undefined)) await reportGas()
    onStep?.("concluded")
    const concluded = moves.filter(({ move }) => outcomes.has(move.to))
    if (isNews) onEnded?.()
    if (concluded.length > 0) onConcluded?.(concluded.map(({ key }) => key))
  }
}
