/** The prepared statements of the client's file. Tables keep the name `claims` for locks, so that old files open. */
import type { Address } from "../../shared/values/evm.ts"
import type { Counted } from "../core/budget-rules.ts"

export type LockRow = {
  readonly holder: string
  readonly until: number
  readonly host: string
  readonly pid: number
}
type Sums = Omit<Counted, "recipients" | "refusals">

/** A prepared statement. The driver's own types have no name that the declarations of the package could write. */
type Statement<Values extends unknown[], Row> = {
  get(...values: Values): Row | undefined
  all(...values: Values): Row[]
  run(...values: Values): { readonly changes: number }
  pluck(): Statement<Values, Row>
  safeIntegers(): Statement<Values, Row>
}
type Database = {
  prepare<Values extends unknown[] = unknown[], Row = unknown>(sql: string): Statement<Values, Row>
}

export const prepareStatements = (db: Database) => ({
  ...prepareSpendingStatements(db),
  readLock: db.prepare<[string], LockRow>("SELECT holder, until, host, pid FROM claims WHERE name = ?"),
  lock: db.prepare("REPLACE INTO claims (name, holder, until, host, pid) VALUES (?, ?, ?, ?, ?)"),
  unlock: db.prepare("DELETE FROM claims WHERE name = ? AND holder = ?"),
  keep: db.prepare("REPLACE INTO payments (account, resource, header, payment) VALUES (?, ?, ?, ?)"),
  findUnanswered: db
    .prepare<[string, string], string>("SELECT payment FROM payments WHERE account = ? AND resource = ?")
    .pluck(),
  drop: db.prepare("DELETE FROM payments WHERE account = ? AND resource = ? AND header = ?"),
  add: db.prepare(
    "REPLACE INTO grants (key, account, used, grant_text) SELECT ?, ?, COALESCE(MAX(used), 0) + 1, ? FROM grants",
  ),
  listGrants: db
    .prepare<[string], string>("SELECT grant_text FROM grants WHERE account = ? ORDER BY used DESC")
    .pluck(),
  readGrant: db.prepare<[string], string>("SELECT grant_text FROM grants WHERE key = ?").pluck(),
  writeGrant: db.prepare("UPDATE grants SET grant_text = ? WHERE key = ?"),
  prefer: db.prepare("UPDATE grants SET used = (SELECT MAX(used) + 1 FROM grants) WHERE key = ?"),
  forget: db.prepare("DELETE FROM grants WHERE key = ?"),
})

const prepareSpendingStatements = (db: Database) => ({
  reserve: db.prepare(
    "INSERT INTO spendings (id, micros, origin, offer, signed_at, kept, claim, holder) VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
  ),
  voidUnkept: db.prepare("DELETE FROM spendings WHERE kept = 0 AND claim = ? AND holder <> ?"),
  cancel: db.prepare("DELETE FROM spendings WHERE id = ? AND kept = 0"),
  remove: db.prepare("DELETE FROM spendings WHERE id = ?"),
  markKept: db.prepare("UPDATE spendings SET kept = 1 WHERE id = ?"),
  readCounting: db
    .prepare<[string], bigint>("SELECT micros FROM spendings WHERE id = ? AND counts_until IS NULL")
    .pluck()
    .safeIntegers(),
  sumGivenBack: db
    .prepare<[number], bigint>(
      "SELECT COALESCE(SUM(micros), 0) FROM spendings WHERE counts_until IS NOT NULL AND signed_at > ?",
    )
    .pluck()
    .safeIntegers(),
  countUntil: db.prepare("UPDATE spendings SET counts_until = ? WHERE id = ?"),
  sum: db
    .prepare<[Record<string, unknown>], Sums>(
      `WITH all_time AS (
         SELECT micros, origin = :origin AS here, origin = :origin AND offer = :offer AS same,
           signed_at > :since AND (counts_until IS NULL OR counts_until > :now) AS today
         FROM spendings
       )
       SELECT COALESCE(SUM(micros), 0) AS total,
         COALESCE(SUM(micros) FILTER (WHERE today), 0) AS day,
         COALESCE(SUM(micros) FILTER (WHERE here), 0) AS origin,
         COALESCE(SUM(micros) FILTER (WHERE here AND today), 0) AS originDay,
         COALESCE(SUM(micros) FILTER (WHERE same), 0) AS offer
       FROM all_time`,
    )
    .safeIntegers(),
  listRecipients: db
    .prepare<[string], Address>("SELECT pay_to FROM recipients WHERE origin = ? ORDER BY rowid")
    .pluck(),
  countRefusals: db
    .prepare<[string, number], number>("SELECT COUNT(*) FROM refusals WHERE origin = ? AND at > ?")
    .pluck(),
  recordRefusal: db.prepare("INSERT INTO refusals (origin, at) VALUES (?, ?)"),
  pruneRefusals: db.prepare("DELETE FROM refusals WHERE at <= ?"),
  clearRefusals: db.prepare("DELETE FROM refusals WHERE origin = ?"),
  approve: db.prepare("INSERT OR IGNORE INTO recipients (origin, pay_to) VALUES (?, ?)"),
})
