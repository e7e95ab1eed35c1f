/** Takes in payments that were found on the chain and are in no book; keeps how far the books are complete. */
import type { Address } from "../../../shared/values/evm.ts"
import { endedFact, importedFact } from "../../core/ledger-facts.ts"
import { applyMove } from "../../core/redemption.ts"
import type { Progress, Redeemed, TransferId } from "../../ports/records.ts"
import { block, integer, text } from "../records/columns.ts"
import { addGrant } from "../records/grants.ts"
import { book } from "../records/ledger.ts"
import { saveMove } from "../records/moves.ts"
import { readRedemption, saveRedemption } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"

const greater = (table: string, column: string) =>
  `CASE WHEN excluded.${column} > ${table}.${column} THEN excluded.${column} ELSE ${table}.${column} END`

export const catchUpQueries = {
  progress: "SELECT * FROM progress WHERE network = :network",
  setProgress: `
    INSERT INTO progress (network, since_block, done_block) VALUES (:network, :since, :done)
    ON CONFLICT (network) DO UPDATE SET done_block = ${greater("progress", "done_block")}`,
  nonces: "SELECT relayer, next FROM nonces WHERE network = :network ORDER BY relayer",
  raiseNonce: `
    INSERT INTO nonces (network, relayer, next) VALUES (:network, :relayer, :next)
    ON CONFLICT (network, relayer) DO UPDATE SET next = ${greater("nonces", "next")}`,
  byEvidence:
    "SELECT 1 FROM redemptions WHERE network = :network AND transaction_hash = :hash AND log_index = :logIndex",
}
const q = catchUpQueries

export async function progress(rows: Rows, { network }: { network: string }): Promise<Progress> {
  const row = await rows.get(q.progress, { network })
  const nonces = await rows.all(q.nonces, { network })
  return {
    blocks: row ? { since: block(row.since_block), done: block(row.done_block) } : null,
    nonces: nonces.map(({ relayer, next }) => ({ relayer: text<Address>(relayer), next: integer(next) })),
  }
}

export async function unbooked(
  rows: Rows,
  { network, transfers }: { network: string; transfers: readonly TransferId[] },
): Promise<readonly TransferId[]> {
  const found: TransferId[] = []
  for (const each of transfers) if (!(await isPaying(rows, network, each))) found.push(each)
  return found
}

export async function catchUp(
  rows: Rows,
  {
    network,
    since,
    done,
    nonces,
    payments,
    now,
  }: {
    network: string
    since: bigint
    done: bigint
    nonces: Progress["nonces"]
    payments: readonly Redeemed[]
    now: number
  },
): Promise<{ readonly imported: readonly string[]; readonly late: readonly string[] }> {
  const imported: string[] = []
  const late: string[] = []
  // One after the other, because two of them may be the same.
  for (const each of payments) {
    const { key } = each.redemption
    if (await importPayment(rows, network, each, now)) imported.push(key)
    else if (await bookLate(rows, each, now)) late.push(key)
  }
  await rows.run(q.setProgress, { network, since, done })
  for (const { relayer, next } of nonces) await rows.run(q.raiseNonce, { network, relayer, next })
  return { imported, late }
}

/** False for a payment that is in the books. */
async function importPayment(
  rows: Rows,
  network: string,
  { grant, redemption }: Redeemed,
  now: number,
): Promise<boolean> {
  const { key, evidence } = redemption
  if (await readRedemption(rows, key)) return false
  if (evidence && (await isPaying(rows, network, evidence))) return false
  await addGrant(rows, grant)
  await saveRedemption(rows, null, redemption, now)
  const subject = { grantId: grant.id, redemptionKey: key }
  await book(rows, importedFact(redemption), subject, now)
  if (grant.ended) await book(rows, endedFact(grant.ended.reason, null), subject, now)
  return true
}

/** The money of a failed payment arrived all the same. False for any other payment. */
async function bookLate(rows: Rows, { redemption }: Redeemed, now: number): Promise<boolean> {
  const { key, evidence, transfer } = redemption
  const known = await readRedemption(rows, key)
  const isThis = known?.transfer.payTo === transfer.payTo && known.transfer.value === transfer.value
  if (known?.state !== "failed" || !isThis || !evidence) return false
  await saveMove(rows, known, applyMove(known, { to: "paid", evidence }), now)
  return true
}

/** Whether a Transfer pays for a redemption. */
export async function isPaying(
  rows: Rows,
  network: string,
  { transactionHash: hash, logIndex }: TransferId,
): Promise<boolean> {
  return (await rows.get(q.byEvidence, { network, hash, logIndex })) !== undefined
}
