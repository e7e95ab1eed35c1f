/** The verbs of those who look through the books, and mend them, on SQLite. */
import type BetterSqlite3 from "better-sqlite3"
import type { Grant } from "../../core/grant.ts"
import type { BookRow } from "../../core/invariants.ts"
import { type LedgerKind, outcomeKinds, type Redemption, unsettledStates } from "../../core/redemption.ts"
import type { TransferId } from "../../ports/records.ts"
import { endedFacts, importedFacts } from "../verbs/rules.ts"
import type { BookVerb, Verbs } from "../verbs/verb-list.ts"
import type { Records } from "./records.ts"
import { family, grantFrom, integer, listOf, type Row, redemptionFrom, text } from "./rows.ts"

export function createBookVerbs(db: BetterSqlite3.Database, records: Records): Pick<Verbs, BookVerb> {
  const grantsAfter = db.prepare<[string, number], Row>(
    "SELECT * FROM grants WHERE id > ? ORDER BY id LIMIT ?",
  )
  const openRows = db.prepare<[], Row>(
    `SELECT * FROM redemptions WHERE state IN (${listOf(unsettledStates)}) ORDER BY id`,
  )
  const countEntries = db.prepare<[string], Row>(
    "SELECT kind, count(*) AS entries FROM entries WHERE redemption_key = ? GROUP BY kind",
  )
  const lastNews = db.prepare<[string], Row>(`
    SELECT kind FROM entries WHERE redemption_key = ? AND kind IN (${outcomeKinds.map((kind) => `'${kind}'`).join(", ")})
    ORDER BY sequence DESC LIMIT 1`)
  const lentUnits = db.prepare<[{ id: string }], Row>(`
    SELECT coalesce(sum(units - spent - unused), 0) AS lent FROM slices WHERE grant_id IN ${family}`)
  const rideState = db.prepare<[number], Row>("SELECT state FROM transactions WHERE id = ?")
  const doubleRows = {
    keys: db.prepare<[], Row>("SELECT key AS row FROM redemptions GROUP BY key HAVING count(*) > 1"),
    transfers: db.prepare<[], Row>(`
      SELECT network || ' ' || transaction_hash || ' ' || log_index AS row FROM redemptions
      WHERE transaction_hash IS NOT NULL GROUP BY network, transaction_hash, log_index HAVING count(*) > 1`),
    nonces: db.prepare<[], Row>(`
      SELECT network || ' ' || relayer || ' ' || nonce AS row FROM transactions
      GROUP BY network, relayer, nonce HAVING count(*) > 1`),
    unsigned: db.prepare<[], Row>(`
      SELECT network || ' ' || relayer || ' ' || nonce AS row FROM transactions
      WHERE NOT EXISTS (SELECT 1 FROM versions WHERE transaction_id = transactions.id)`),
  }
  const readProgress = db.prepare<[string], Row>("SELECT * FROM progress WHERE network = ?")
  const writeProgress = db.prepare(`
    INSERT INTO progress (network, since_block, done_block) VALUES (?, ?, ?)
    ON CONFLICT (network) DO UPDATE SET done_block = max(done_block, excluded.done_block)`)
  const readNonces = db.prepare<[string], Row>(
    "SELECT relayer, next FROM nonces WHERE network = ? ORDER BY relayer",
  )
  const raiseNonce = db.prepare(`
    INSERT INTO nonces (network, relayer, next) VALUES (?, ?, ?)
    ON CONFLICT (network, relayer) DO UPDATE SET next = max(next, excluded.next)`)
  const byEvidence = db.prepare<[string, string, number], Row>(
    "SELECT 1 FROM redemptions WHERE network = ? AND transaction_hash = ? AND log_index = ?",
  )

  /** One for each payment, or one without. */
  function bookRows(grant: Grant): readonly BookRow[] {
    const payments = records.paymentsFor(grant.id)
    return (payments.length === 0 ? [null] : payments).map((each) => bookRow(grant, each))
  }

  function bookRow(grant: Grant, redemption: Redemption | null): BookRow {
    const news = redemption ? lastNews.get(redemption.key) : undefined
    const counts = redemption ? countEntries.all(redemption.key) : []
    const state =
      redemption?.transactionId == null ? undefined : rideState.get(redemption.transactionId)?.state
    return {
      grant,
      redemption,
      entries: Object.fromEntries(
        counts.map(({ kind, entries }) => [text<LedgerKind>(kind), integer(entries)]),
      ),
      news: news === undefined ? null : text<LedgerKind>(news.kind),
      ride: state === undefined ? null : state === "done" ? "done" : "in_flight",
      lent: grant.meter ? integer(lentUnits.get({ id: grant.id })?.lent) : 0,
    }
  }

  function openRow(row: Row): readonly BookRow[] {
    const redemption = redemptionFrom(row)
    const grant = records.grant(redemption.grantId)
    return grant ? [bookRow(grant, redemption)] : []
  }

  const isPaying = (network: string, { transactionHash, logIndex }: TransferId): boolean =>
    byEvidence.get(network, transactionHash, logIndex) !== undefined

  const rowsOf = (query: BetterSqlite3.Statement<[], Row>): readonly string[] =>
    query.all().map(({ row }) => text(row))

  return {
    books: ({ after, limit }) => grantsAfter.all(after, limit).flatMap((row) => bookRows(grantFrom(row))),

    exposure: () => ({
      ...records.totals(),
      losses: records.losses(),
      open: openRows.all().flatMap(openRow),
    }),

    doubles: () => ({
      keys: rowsOf(doubleRows.keys),
      transfers: rowsOf(doubleRows.transfers),
      nonces: rowsOf(doubleRows.nonces),
      unsigned: rowsOf(doubleRows.unsigned),
    }),

    progress({ network }) {
      const row = readProgress.get(network)
      return {
        blocks: row
          ? { since: BigInt(integer(row.since_block)), done: BigInt(integer(row.done_block)) }
          : null,
        nonces: readNonces.all(network).map(({ relayer, next }) => ({
          relayer: text<`0x${string}`>(relayer),
          next: integer(next),
        })),
      }
    },

    unbooked: ({ network, transfers }) => transfers.filter((transfer) => !isPaying(network, transfer)),

    catchUp({ network, since, done, nonces, payments, now }) {
      // One after the other, because two of them may be the same.
      const imported = payments.flatMap(({ grant, redemption }) => {
        const { key, evidence } = redemption
        if (records.redemption(key) || (evidence && isPaying(network, evidence))) return []
        records.addGrant(grant)
        records.saveRedemption(null, redemption, now)
        records.book("imported", grant.id, key, importedFacts(redemption), now)
        if (grant.ended) records.book("ended", grant.id, key, endedFacts(grant.ended.reason), now)
        return [key]
      })
      writeProgress.run(network, since, done)
      for (const { relayer, next } of nonces) raiseNonce.run(network, relayer, next)
      return { imported }
    },
  }
}
