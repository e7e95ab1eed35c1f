/** Reads the whole books: every grant with its money, the totals, and duplicates. */

import type { Standing } from "../../core/exposure.ts"
import type { Grant } from "../../core/grant.ts"
import type { BookRow, Doubles, Exposure } from "../../core/invariants.ts"
import { type LedgerKind, outcomeKinds } from "../../core/ledger-facts.ts"
import { type Redemption, unsettledStates } from "../../core/redemption.ts"
import { integer, listOf, text } from "../records/columns.ts"
import { readLosers, readLosses, readTotals } from "../records/exposure.ts"
import { family, grantFrom, readGrant } from "../records/grants.ts"
import { readPayments, redemptionFrom } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"

export const bookQueries = {
  grantsAfter: "SELECT * FROM grants WHERE id > :after ORDER BY id LIMIT :limit",
  open: `SELECT * FROM redemptions WHERE state IN (${listOf(unsettledStates)}) ORDER BY id`,
  countEntries: "SELECT kind, count(*) AS entries FROM entries WHERE redemption_key = :key GROUP BY kind",
  lastNews: `
    SELECT kind FROM entries WHERE redemption_key = :key AND kind IN (${listOf(outcomeKinds)})
    ORDER BY sequence DESC LIMIT 1`,
  lentUnits: `
    SELECT CAST(coalesce(sum(units - spent - unused), 0) AS BIGINT) AS lent FROM slices WHERE grant_id IN ${family}`,
  rideState: "SELECT state FROM transactions WHERE id = :id",
  twiceKeys: "SELECT key AS row FROM redemptions GROUP BY key HAVING count(*) > 1",
  twiceTransfers: `
    SELECT network || ' ' || transaction_hash || ' ' || log_index AS row FROM redemptions
    WHERE transaction_hash IS NOT NULL GROUP BY network, transaction_hash, log_index HAVING count(*) > 1`,
  twiceNonces: `
    SELECT network || ' ' || relayer || ' ' || nonce AS row FROM transactions
    GROUP BY network, relayer, nonce HAVING count(*) > 1`,
  unsigned: `
    SELECT network || ' ' || relayer || ' ' || nonce AS row FROM transactions
    WHERE NOT EXISTS (SELECT 1 FROM versions WHERE transaction_id = transactions.id)`,
}
const q = bookQueries

export async function books(
  rows: Rows,
  { after, limit }: { after: string; limit: number },
): Promise<readonly BookRow[]> {
  const found: BookRow[] = []
  for (const row of await rows.all(q.grantsAfter, { after, limit })) {
    const grant = grantFrom(row)
    const payments = await readPayments(rows, grant.id)
    // One row for each payment, or one without.
    for (const each of payments.length === 0 ? [null] : payments)
      found.push(await readBookRow(rows, grant, each))
  }
  return found
}

export async function exposure(rows: Rows): Promise<Exposure> {
  const open: BookRow[] = []
  for (const row of await rows.all(q.open)) {
    const redemption = redemptionFrom(row)
    const grant = await readGrant(rows, redemption.grantId)
    if (grant) open.push(await readBookRow(rows, grant, redemption))
  }
  return { ...(await readTotals(rows)), losses: await readLosses(rows), open }
}

export async function standing(rows: Rows): Promise<Standing> {
  return { ...(await readTotals(rows)), losers: await readLosers(rows) }
}

export async function doubles(rows: Rows): Promise<Doubles> {
  const namesOf = async (sql: string) => (await rows.all(sql)).map(({ row }) => text(row))
  return {
    keys: await namesOf(q.twiceKeys),
    transfers: await namesOf(q.twiceTransfers),
    nonces: await namesOf(q.twiceNonces),
    unsigned: await namesOf(q.unsigned),
  }
}

async function readBookRow(rows: Rows, grant: Grant, redemption: Redemption | null): Promise<BookRow> {
  const { id } = grant
  const key = redemption?.key ?? null
  const counts = key === null ? [] : await rows.all(q.countEntries, { key })
  const news = key === null ? undefined : await rows.get(q.lastNews, { key })
  return {
    grant,
    redemption,
    entries: Object.fromEntries(
      counts.map(({ kind, entries }) => [text<LedgerKind>(kind), integer(entries)]),
    ),
    news: news === undefined ? null : text<LedgerKind>(news.kind),
    ride: await readRide(rows, redemption?.transactionId ?? null),
    // A grant that counts nothing lends nothing.
    lent: grant.meter ? integer((await rows.get(q.lentUnits, { id }))?.lent) : 0,
  }
}

async function readRide(rows: Rows, id: number | null): Promise<BookRow["ride"]> {
  const row = id === null ? undefined : await rows.get(q.rideState, { id })
  if (!row) return null
  return row.state === "done" ? "done" : "in_flight"
}
