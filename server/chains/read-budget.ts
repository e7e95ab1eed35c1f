/**
 * Bounds chain reads at intake, so that a flood of payments neither floods the node nor piles up (DOS-02, DOS-12).
 */
import pLimit from "p-limit"
import { RateLimiterMemory } from "rate-limiter-flexible"
import type { Chain } from "../ports/chain.ts"
import { Overloaded } from "../ports/runtime.ts"

export type ReadBudgetOptions = {
  /** Reads of payments at one node at the same time. */
  readonly concurrent?: number
  /**
   * Payments that may wait for their turn: four rounds, so that even a node that hangs delays nobody by half a
   * minute.
   */
  readonly waiting?: number
  /** Reads in a second; unbounded when not given. */
  readonly perSecond?: number
  /** Whether the remaining requests of this second are reserved for settlement. */
  readonly isTight?: () => Promise<boolean>
}

/**
 * The chain with bounded `readTransfer`, `hasCode`, `findLogs` and `receipt`, which throw {@link Overloaded} beyond the
 * bound. Other verbs are untouched.
 */
export function withReadBudget(chain: Chain, options: ReadBudgetOptions = {}): Chain {
  const { concurrent = 64, waiting = 256, perSecond, isTight = async () => false } = options
  const limit = pLimit(concurrent)
  const rate = perSecond === undefined ? null : new RateLimiterMemory({ points: perSecond, duration: 1 })
  const isSpent = async (): Promise<boolean> =>
    rate !== null && perSecond !== undefined && (await rate.penalty("reads")).consumedPoints > perSecond
  const bounded =
    <I, O>(read: (input: I) => Promise<O>) =>
    async (input: I): Promise<O> => {
      if (await isSpent()) throw new Overloaded("chain reads in this second")
      // The queue is checked last, because it may have filled up during the wait for `isTight`.
      if ((await isTight()) || limit.activeCount + limit.pendingCount >= concurrent + waiting)
        throw new Overloaded("chain reads")
      return limit(() => read(input))
    }
  return {
    ...chain,
    readTransfer: bounded(chain.readTransfer),
    hasCode: bounded(chain.hasCode),
    findLogs: bounded(chain.findLogs),
    receipt: bounded(chain.receipt),
    agreed(nominal) {
      const agreed = chain.agreed(nominal)
      return agreed && { readTransfer: bounded(agreed.readTransfer), receipt: bounded(agreed.receipt) }
    },
  }
}
