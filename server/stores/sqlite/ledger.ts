/** The operator's look into single redemptions, on SQLite. */
import type BetterSqlite3 from "better-sqlite3"
import { retryDead } from "../../core/redemption.ts"
import { noSuch } from "../verbs/rules.ts"
import type { LedgerVerb, Verbs } from "../verbs/verb-list.ts"
import type { Records } from "./records.ts"
import { entryFrom, integer, type Row, redemptionFrom, transactionFrom } from "./rows.ts"

export function createLedgerVerbs(db: BetterSqlite3.Database, records: Records): Pick<Verbs, LedgerVerb> {
  const sales = db.prepare<[{ after: number; state: string | null; limit: number }], Row>(`
    SELECT redemptions.*, entries.sequence FROM entries JOIN redemptions ON redemptions.key = entries.redemption_key
    WHERE entries.kind = 'redeemed' AND entries.sequence > :after AND (:state IS NULL OR redemptions.state = :state)
    ORDER BY entries.sequence LIMIT :limit`)
  const entriesOf = db.prepare<[string], Row>(
    "SELECT * FROM entries WHERE redemption_key = ? ORDER BY sequence",
  )
  const transactionsOf = db.prepare<[string], Row>(`
    SELECT transactions.* FROM rides JOIN transactions ON transactions.id = rides.transaction_id
    WHERE rides.redemption_key = ? ORDER BY transactions.id`)
  const versionRows = db.prepare<[number], Row>("SELECT * FROM versions WHERE transaction_id = ? ORDER BY id")

  return {
    redemptions: (page) =>
      sales.all(page).map((row) => ({ sequence: integer(row.sequence), redemption: redemptionFrom(row) })),

    history({ key }) {
      const redemption = records.redemption(key)
      if (!redemption) return null
      return {
        redemption,
        transactions: transactionsOf
          .all(key)
          .map((row) => transactionFrom(row, versionRows.all(integer(row.id)))),
        entries: entriesOf.all(key).map(entryFrom),
      }
    },

    retry({ key, now }) {
      const before = records.redemption(key)
      if (!before) throw noSuch("redemption", key)
      const effect = retryDead(before)
      if (!effect) return { retried: false }
      records.saveRedemption(before, effect.redemption, now)
      records.bookMove(before, effect, now)
      return { retried: true }
    },
  }
}
