/** Statements for one row, made into statements for many. */
import type { Values } from "../records/rows.ts"
import { parametersOf, statementOf } from "./statements.ts"

export type Many = { readonly text: string; readonly parameters: readonly unknown[] }

/** A SELECT for each of several values: its rows come with the `place` of their values, counted from 1. */
export function selectMany(sql: string, list: readonly Values[]): Many {
  const { names } = statementOf(sql)
  const types = names.map((name) => (typeof list[0]?.[name] === "string" ? "text" : "bigint"))
  const rows = list.map((values) => parametersOf(names, values))
  const columns = names.map((_, column) => rows.map((row) => row[column]))
  const arrays = types.map((type, column) => `$${column + 1}::${type}[]`)
  const each = sql.replace(/(?<![:\w]):(?=[a-zA-Z])/g, "given.")
  return {
    text: `SELECT given.place, found.* FROM unnest(${arrays.join(", ")}) WITH ORDINALITY
      AS given (${[...names, "place"].join(", ")}) CROSS JOIN LATERAL (${each}) AS found`,
    parameters: columns,
  }
}

const insertion = /^\s*INSERT INTO (\w+) \(([^)]*)\)\s*VALUES \(([^)]*)\)(.*)$/s

/** An INSERT of several rows, whose parameters are named like their columns; the table gives the columns their types. */
export function insertMany(sql: string, list: readonly Values[]): Many {
  const [, table = "", columns = "", values = "", rest = ""] = insertion.exec(sql) ?? []
  const names = columns.split(",").map((name) => name.trim())
  if (table === "" || values.replace(/\s+/g, "") !== names.map((name) => `:${name}`).join())
    throw new Error("this INSERT does not name its parameters like its columns")
  const rows = list.map((each) => {
    const parameters = parametersOf(names, each)
    return Object.fromEntries(names.map((name, index) => [name, parameters[index]]))
  })
  return {
    text: `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::${table}, $1) ${rest}`,
    parameters: [JSON.stringify(rows)],
  }
}
