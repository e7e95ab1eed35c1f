/** The row port on a PostgreSQL connection. */
import type { ClientBase, CustomTypesConfig, QueryConfig, QueryResult } from "pg"
import { integer } from "../records/columns.ts"
import type { NewEntry, Row, Values } from "../records/rows.ts"
import { queries } from "../verbs/queries.ts"
import type { ManyRows } from "./batch.ts"
import { insertMany, selectMany } from "./many.ts"
import { lockedReads } from "./row-locks.ts"
import { parametersOf, type Statement, statementOf } from "./statements.ts"

type Named = Statement & { readonly name: string; readonly isChange: boolean }

/** The changes that a transaction has made. */
export type Changes = { readonly entries: NewEntry[]; any: boolean }

const prepare = (kind: string, textOf: (sql: string) => string): ReadonlyMap<string, Named> =>
  new Map(
    queries.map((sql, index) => {
      const isChange = !/^\s*SELECT\b/.test(sql)
      return [sql, { ...statementOf(textOf(sql)), name: `${kind}_${index}`, isChange }]
    }),
  )
const reading = prepare("read", (sql) => sql)
const writing = prepare("write", (sql) => (lockedReads.has(sql) ? `${sql} FOR UPDATE` : sql))

/** Oids of `pg_type.dat`: smallint, integer and bigint. */
const integers = [21, 23, 20]

/** Integers as bigint; everything else, JSON among it, as its text. */
export const types: CustomTypesConfig = {
  getTypeParser: (oid: number) => (integers.includes(oid) ? BigInt : (value: unknown) => value) as never,
}

/**
 * `isDirect`: statements are prepared once a connection. A pooler may hand the next one to another server process.
 * Without `changes` the transaction only reads.
 */
export function createRows(client: ClientBase, isDirect: boolean, changes?: Changes): ManyRows {
  const statements = changes ? writing : reading

  function query(sql: string, values: Values): Promise<QueryResult<Row>> {
    const statement = statements.get(sql)
    if (!statement) throw new Error("this statement is missing in verbs/queries.ts")
    if (changes && statement.isChange) changes.any = true
    const config: QueryConfig = { text: statement.text, values: parametersOf(statement.names, values) }
    return client.query<Row>(isDirect ? { ...config, name: statement.name } : config)
  }

  return {
    get: async (sql, values = {}) => (await query(sql, values)).rows[0],
    all: async (sql, values = {}) => (await query(sql, values)).rows,
    run: async (sql, values = {}) => (await query(sql, values)).rowCount ?? 0,
    append(entry) {
      if (!changes) throw new Error("a reading verb appends nothing to the ledger")
      changes.any = true
      changes.entries.push(entry)
    },
    async allOf(sql, list) {
      const { text, parameters } = selectMany(sql, list)
      const { rows } = await client.query<Row>(text, [...parameters])
      const found = list.map((): Row[] => [])
      for (const row of rows) found[integer(row.place) - 1]?.push(row)
      return found
    },
    async insertAll(sql, list) {
      if (changes) changes.any = true
      const { text, parameters } = insertMany(sql, list)
      await client.query(text, [...parameters])
    },
  }
}
