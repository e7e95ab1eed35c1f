/** A budget for chain reads at intake, so that a flood of payments neither floods the node nor piles up here (DOS-02). */
import pLimit from "p-limit"
import { type Chain, Overloaded } from "../ports.ts"

export type ReadBudgetOptions = {
  /** Reads of payments at one node at the same time. */
  readonly concurrent?: number
  /** Payments that may wait for their turn: four rounds, so that even a node that hangs holds nobody for half a minute. */
  readonly waiting?: number
}

/** The chain with `readTransfer` bounded; it throws {@link Overloaded} beyond that. Everything else is untouched. */
export function withReadBudget(chain: Chain, options: ReadBudgetOptions = {}): Chain {
  const { concurrent = 64, waiting = 256 } = options
  const limit = pLimit(concurrent)
  return {
    ...chain,
    async readTransfer(input) {
      if (limit.activeCount + limit.pendingCount >= concurrent + waiting) throw new Overloaded("chain reads")
      return limit(() => chain.readTransfer(input))
    },
  }
}
