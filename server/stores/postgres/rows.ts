/** The row port on a PostgreSQL connection. */
import type { ClientBase, CustomTypesConfig, QueryConfig, QueryResult } from "pg"
import type { Row, Rows, Values } from "../records/rows.ts"
import { queries } from "../verbs/queries.ts"
import { parametersOf, type Statement, statementOf } from "./statements.ts"

const statements: ReadonlyMap<string, Statement & { readonly name: string }> = new Map(
  queries.map((sql, index) => [sql, { ...statementOf(sql), name: `ticket402_${index}` }]),
)

/** Oids of `pg_type.dat`: smallint, integer and bigint. */
const integers = [21, 23, 20]

/** Integers as bigint; everything else, JSON among it, as its text. */
export const types: CustomTypesConfig = {
  getTypeParser: (oid: number) => (integers.includes(oid) ? BigInt : (value: unknown) => value) as never,
}

/** `named`: statements are prepared once a connection. A pooler may hand the next one to another server process. */
export function createRows(client: ClientBase, named: boolean): Rows {
  function query(sql: string, values: Values): Promise<QueryResult<Row>> {
    const statement = statements.get(sql)
    if (!statement) throw new Error("this statement is missing in verbs/queries.ts")
    const config: QueryConfig = { text: statement.text, values: parametersOf(statement.names, values) }
    return client.query<Row>(named ? { ...config, name: statement.name } : config)
  }

  return {
    get: async (sql, values = {}) => (await query(sql, values)).rows[0],
    all: async (sql, values = {}) => (await query(sql, values)).rows,
    run: async (sql, values = {}) => (await query(sql, values)).rowCount ?? 0,
  }
}
