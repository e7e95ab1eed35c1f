/** Lists the rows that settlement must look at, and records its findings. */
import type { Hex } from "../../../shared/values/evm.ts"
import { failedGasOf } from "../../core/failed-gas.ts"
import { applyMove, type Move, type Redemption } from "../../core/redemption.ts"
import type { PaidBlock } from "../../ports/records.ts"
import { block, integer, text } from "../records/columns.ts"
import { addFailedTry, readFailedTries } from "../records/failed-tries.ts"
import { saveMove } from "../records/moves.ts"
import { readRedemption, redemptionFrom } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"
import { requireFence } from "./lease.ts"
import { finishTransaction, reopenTransaction } from "./transactions.ts"

export const settlementQueries = {
  due: `
    SELECT * FROM redemptions
    WHERE network = :network AND due_at IS NOT NULL AND due_at <= :now AND state <> 'suspended'
    ORDER BY length(valid_before), valid_before, id LIMIT :limit`,
  suspended: `
    SELECT * FROM redemptions WHERE network = :network AND state = 'suspended' AND due_at <= :now
    ORDER BY due_at, id LIMIT :limit`,
  mined: "SELECT * FROM redemptions WHERE network = :network AND state = 'mined' ORDER BY id",
  countSuspended: "SELECT count(*) AS suspended FROM redemptions WHERE state = 'suspended'",
  paidBlocks: `
    SELECT DISTINCT block_number, block_hash FROM redemptions WHERE network = :network AND state = 'paid'
    ORDER BY block_number, block_hash LIMIT :limit`,
  paidIn: `
    SELECT * FROM redemptions
    WHERE network = :network AND state = 'paid' AND block_number = :blockNumber AND block_hash = :blockHash
    ORDER BY id`,
  evidenceOfOther: `
    SELECT 1 FROM redemptions
    WHERE network = :network AND transaction_hash = :hash AND log_index = :logIndex AND key <> :key`,
}
const q = settlementQueries

type OfNetwork = { readonly fence: number; readonly network: string }

export async function due(
  rows: Rows,
  { fence, network, now, limit }: OfNetwork & { now: number; limit: number },
): Promise<readonly Redemption[]> {
  await requireFence(rows, fence)
  return (await rows.all(q.due, { network, now, limit })).map(redemptionFrom)
}

export async function suspended(
  rows: Rows,
  { fence, network, now, limit }: OfNetwork & { now: number; limit: number },
): Promise<readonly Redemption[]> {
  await requireFence(rows, fence)
  return (await rows.all(q.suspended, { network, now, limit })).map(redemptionFrom)
}

export async function mined(rows: Rows, { fence, network }: OfNetwork): Promise<readonly Redemption[]> {
  await requireFence(rows, fence)
  return (await rows.all(q.mined, { network })).map(redemptionFrom)
}

export async function paidBlocks(
  rows: Rows,
  { fence, network, limit }: OfNetwork & { limit: number },
): Promise<readonly PaidBlock[]> {
  await requireFence(rows, fence)
  return (await rows.all(q.paidBlocks, { network, limit })).map((row) => ({
    blockNumber: block(row.block_number),
    blockHash: text<Hex>(row.block_hash),
  }))
}

export async function paidIn(
  rows: Rows,
  { fence, network, blockNumber, blockHash }: OfNetwork & PaidBlock,
): Promise<readonly Redemption[]> {
  await requireFence(rows, fence)
  return (await rows.all(q.paidIn, { network, blockNumber, blockHash })).map(redemptionFrom)
}

export async function conclude(
  rows: Rows,
  {
    fence,
    done,
    reopened,
    moves,
    now,
  }: {
    fence: number
    done?: number
    reopened?: number
    moves: readonly { key: string; move: Move; gas?: bigint }[]
    now: number
  },
): Promise<void> {
  await requireFence(rows, fence)
  if (done !== undefined) await finishTransaction(rows, done)
  if (reopened !== undefined) await reopenTransaction(rows, reopened, now)
  for (const { key, move, gas } of moves) {
    const before = await readRedemption(rows, key)
    if (!before) throw new Error(`there is no redemption ${key}`)
    const effect = applyMove(before, move)
    if (await isEvidenceOfOther(rows, effect.redemption))
      throw new Error("this transfer already pays for another redemption")
    await saveMove(rows, before, effect, now)
    if (gas !== undefined) await addFailedTry(rows, before, gas, now)
  }
}

export async function suspendedCount(rows: Rows): Promise<number> {
  return integer((await rows.get(q.countSuspended))?.suspended)
}

export async function failedGas(rows: Rows, { now }: { now: number }): Promise<bigint> {
  return failedGasOf(await readFailedTries(rows, now))
}

/** Whether the Transfer that would pay for this row already pays for another. */
async function isEvidenceOfOther(rows: Rows, { key, network, evidence }: Redemption): Promise<boolean> {
  if (!evidence) return false
  const { transactionHash: hash, logIndex } = evidence
  return (await rows.get(q.evidenceOfOther, { network, hash, logIndex, key })) !== undefined
}
