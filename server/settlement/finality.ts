/** Checks blocks that hold payments: deep enough to count, final, or dropped by a reorg. */
import type { Hex } from "../../shared/values/evm.ts"
import { isSettled, type Redemption } from "../core/redemption.ts"
import { depthOf } from "../core/verdict.ts"
import { ChainUnavailable, type Receipt } from "../ports/chain.ts"
import type { PaidBlock } from "../ports/records.ts"
import { moveTo } from "./conclude.ts"
import type { SettlementContext } from "./context.ts"
import type { Examiner } from "./examine.ts"
import { createHoles } from "./holes.ts"

/** Blocks that one round checks at most; an hour of the slowest network has fewer. */
const longestList = 4096

export function createFinality(context: SettlementContext, examiner: Examiner) {
  const { paidBy, witness } = examiner
  const { store, chain, confirmations, network, now, log, limits, noticed, conclude, each, isAhead } = context
  const { noteMissing, isProven } = createHoles(context, examiner)
  // The round of looks under way: blocks not looked at yet, and up to where the chain is final.
  let left: PaidBlock[] = []
  let finalNumber = 0n
  let nextRoundAt = 0

  /** Mined payments become paid when deep enough, or return when their block went away. */
  async function deepen(fence: number, mined: readonly Redemption[], head: bigint): Promise<void> {
    const hashes = new Map<bigint, Promise<Hex | null>>()
    const gone: Redemption[] = []
    const lost: Redemption[] = []
    await each(mined, async (row) => {
      const { evidence } = row
      if (!evidence) return
      const { blockNumber } = evidence
      const asked = hashes.get(blockNumber) ?? chain.blockHash(blockNumber)
      hashes.set(blockNumber, asked)
      const canonical = await asked
      if (canonical === null) {
        // A node without that block lags, or its new chain is still shorter.
        if (head - blockNumber < limits.lagBlocks) return
        const isLost = noteMissing(evidence, head)
        if (!(await isProven(row))) return isLost ? void lost.push(row) : undefined
      } else {
        noticed.missing.delete(evidence.blockHash)
        if (canonical !== evidence.blockHash) return void gone.push(row)
      }
      if (depthOf(blockNumber, head) < confirmations) return
      const testimony = await witness(row, evidence)
      // One node claimed the payment and two deny it: it never was there.
      if (testimony === "denied") gone.push(row)
      if (testimony === "confirmed") await conclude(fence, [moveTo(row, { to: "paid", evidence })])
    })
    await takeBack(fence, gone)
    await each(lost, async (row) => {
      log.error({ network, key: row.key }, "the block of a payment stays missing; the payment is sent again")
      // Where it is found in the same block once more, another wait keeps it from being sent in every step.
      if (row.evidence) noticed.missing.set(row.evidence.blockHash, head)
      await sendAgain(fence, row)
    })
  }

  /**
   * Rereads every block with paid payments, oldest first and a few in each step, until the chain calls it final. A node
   * that cannot answer this blocks nothing else.
   */
  async function watch(fence: number): Promise<void> {
    try {
      if (left.length === 0) await begin(fence)
      await each(left.splice(0, limits.recheckBlocks), (block) => look(fence, block))
    } catch (error) {
      if (!(error instanceof ChainUnavailable)) throw error
      log.warn({ network, reason: error.message }, "it is not known whether settled payments are final")
    }
  }

  async function begin(fence: number): Promise<void> {
    if (isAhead(nextRoundAt)) return
    nextRoundAt = now() + limits.recheckSeconds
    const blocks = await store.paidBlocks({ fence, network, limit: longestList })
    if (blocks.length === 0) return
    // Read before any hash, because only a block that is canonical after finality stays.
    finalNumber = await chain.finalized()
    left = [...blocks]
  }

  async function look(fence: number, block: PaidBlock): Promise<void> {
    const canonical = await chain.blockHash(block.blockNumber)
    const stays = canonical === null || canonical === block.blockHash
    if (stays && block.blockNumber > finalNumber) return
    const rows = await store.paidIn({ fence, network, ...block })
    if (!stays) return takeBack(fence, rows)
    const final = canonical === null ? await provenOf(rows, block) : rows
    const moves = final.map((row) => moveTo(row, { to: "final" }))
    if (moves.length > 0) await conclude(fence, moves)
  }

  /** A settled payment stays settled while its block is only missing: that is no evidence of a reorg. */
  async function provenOf(rows: readonly Redemption[], block: PaidBlock): Promise<readonly Redemption[]> {
    noteMissing(block, finalNumber)
    const proven = await each(rows, async (row) => ((await isProven(row)) ? row : undefined))
    return proven.flatMap((row) => row ?? [])
  }

  /** Looks for payments of a dropped block in another one; without any, their bytes are sent again. */
  async function takeBack(fence: number, gone: readonly Redemption[]): Promise<void> {
    const receipts = new Map<Hex, Promise<Receipt | null>>()
    await each(gone, async (row) => {
      const { key, evidence: before } = row
      if (!before) return
      const asked = receipts.get(before.transactionHash) ?? chain.receipt(before.transactionHash)
      receipts.set(before.transactionHash, asked)
      const receipt = await asked
      const evidence = receipt && paidBy(receipt, row)
      // The node contradicts itself while it switches chains: ask again in the next step.
      if (evidence?.blockHash === before.blockHash) return
      const fields = { network, key, transaction: before.transactionHash }
      if (isSettled(row.state)) log.error(fields, "a reorg took a settled payment back")
      else log.warn(fields, "a reorg took a payment back")
      if (evidence) return conclude(fence, [moveTo(row, { to: "mined", evidence })])
      await sendAgain(fence, row)
    })
  }

  async function sendAgain(fence: number, row: Redemption): Promise<void> {
    const { transactionId } = row
    if (transactionId === null) return conclude(fence, [moveTo(row, { to: "accepted", dueAt: now() })])
    await conclude(fence, [moveTo(row, { to: "sent" })], { reopened: transactionId })
    // Forces the next step to send it again.
    noticed.triedAt.set(transactionId, 0)
  }

  return { deepen, watch }
}
