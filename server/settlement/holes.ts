/** Handles holes in a node's chain: a block with payments that is null, although the chain is past it. */
import type { Redemption } from "../core/redemption.ts"
import type { PaidBlock } from "../ports/records.ts"
import type { SettlementContext } from "./context.ts"
import type { Examiner } from "./examine.ts"

export function createHoles(context: SettlementContext, { paidBy }: Examiner) {
  const { chain, network, log, noticed } = context

  /** Logs a missing block once. Returns whether it is missing for longer than the chain needs to be final. */
  function noteMissing({ blockNumber, blockHash }: PaidBlock, head: bigint): boolean {
    const since = noticed.missing.get(blockHash)
    if (since !== undefined) return head - since > BigInt(chain.network.finalityBlocks)
    noticed.missing.set(blockHash, head)
    log.error({ network, block: blockNumber.toString() }, "no node has the block of a payment")
    return false
  }

  /**
   * Whether the chain proves the payment without the number of its block. The hash alone finds abandoned blocks too, so a
   * receipt must name the same block.
   */
  async function isProven(row: Redemption): Promise<boolean> {
    const { evidence } = row
    if (!evidence) return false
    if ((await chain.blockNumberOf(evidence.blockHash)) !== evidence.blockNumber) return false
    const receipt = await chain.receipt(evidence.transactionHash)
    return receipt !== null && paidBy(receipt, row)?.blockHash === evidence.blockHash
  }

  return { noteMissing, isProven }
}
