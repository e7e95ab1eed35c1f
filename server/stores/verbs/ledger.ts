/** Reads the ledger and single redemptions, and has a dead one tried again. */
import type { LedgerEntry } from "../../core/ledger-facts.ts"
import { type Redemption, type RedemptionState, retryDead } from "../../core/redemption.ts"
import type { RedemptionHistory, RelayTransaction } from "../../ports/records.ts"
import { integer } from "../records/columns.ts"
import { entryFrom } from "../records/ledger.ts"
import { saveMove } from "../records/moves.ts"
import { readRedemption, redemptionFrom } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"
import { readTransaction } from "../records/transactions.ts"

export const ledgerVerbQueries = {
  after: "SELECT * FROM entries WHERE sequence > :after ORDER BY sequence LIMIT :limit",
  sales: `
    SELECT redemptions.*, entries.sequence FROM entries JOIN redemptions ON redemptions.key = entries.redemption_key
    WHERE entries.kind IN ('redeemed', 'imported') AND entries.sequence > :after AND entries.sequence <= :until
      AND (CAST(:state AS TEXT) IS NULL OR redemptions.state = :state)
    ORDER BY entries.sequence LIMIT :limit`,
  entriesOf: "SELECT * FROM entries WHERE redemption_key = :key ORDER BY sequence",
  transactionsOf: `
    SELECT transactions.* FROM rides JOIN transactions ON transactions.id = rides.transaction_id
    WHERE rides.redemption_key = :key ORDER BY transactions.id`,
}
const q = ledgerVerbQueries

type Page = { readonly after: number; readonly limit: number }

export async function entries(rows: Rows, { after, limit }: Page): Promise<readonly LedgerEntry[]> {
  return (await rows.all(q.after, { after, limit })).map(entryFrom)
}

export async function redemptions(
  rows: Rows,
  {
    state,
    after,
    until = Number.MAX_SAFE_INTEGER,
    limit,
  }: Page & {
    state: RedemptionState | null
    until?: number
  },
): Promise<readonly { sequence: number; redemption: Redemption }[]> {
  const found = await rows.all(q.sales, { state, after, until, limit })
  return found.map((row) => ({ sequence: integer(row.sequence), redemption: redemptionFrom(row) }))
}

export async function history(rows: Rows, { key }: { key: string }): Promise<RedemptionHistory | null> {
  const redemption = await readRedemption(rows, key)
  if (!redemption) return null
  const transactions: RelayTransaction[] = []
  for (const row of await rows.all(q.transactionsOf, { key }))
    transactions.push(await readTransaction(rows, row))
  return { redemption, transactions, entries: (await rows.all(q.entriesOf, { key })).map(entryFrom) }
}

export async function retry(
  rows: Rows,
  { key, now, admin }: { key: string; now: number; admin?: string | undefined },
): Promise<{ retried: boolean }> {
  const before = await readRedemption(rows, key)
  if (!before) throw new Error(`there is no redemption ${key}`)
  const effect = retryDead(before)
  if (effect) await saveMove(rows, before, effect, now, admin)
  return { retried: effect !== null }
}
