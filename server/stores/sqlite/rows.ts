/** The row port on SQLite: each statement is prepared when the store opens, and returns at once. */
import type BetterSqlite3 from "better-sqlite3"
import { integer } from "../records/columns.ts"
import { ledgerQueries } from "../records/ledger.ts"
import type { Row, Rows } from "../records/rows.ts"
import { queries } from "../verbs/queries.ts"

/**
 * The handle must be one of `openDatabase` or `openMemory`: its integers come as bigint. A statement that does not fit the
 * schema fails here, and not at the first sale that needs it.
 */
export function createRows(db: Pick<BetterSqlite3.Database, "prepare">): Rows {
  const prepared = new Map(queries.map((sql) => [sql, db.prepare<unknown[], Row>(sql)]))

  function statementOf(sql: string): BetterSqlite3.Statement<unknown[], Row> {
    const statement = prepared.get(sql)
    if (!statement) throw new Error("this statement is missing in verbs/queries.ts")
    return statement
  }

  return {
    get: (sql, values = {}) => statementOf(sql).get(values),
    all: (sql, values = {}) => statementOf(sql).all(values),
    run: (sql, values = {}) => statementOf(sql).run(values).changes,
    append({ revocation, ...entry }) {
      // No other transaction writes at the same time, so sequences are in the order of commits.
      const row = statementOf(ledgerQueries.insert).get(entry)
      if (revocation)
        statementOf(ledgerQueries.publish).run({ ...revocation, sequence: integer(row?.sequence) })
    },
  }
}
