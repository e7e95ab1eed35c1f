/** The statements of the verbs as PostgreSQL takes them: `:name` becomes `$1`. */
import type { Values } from "../records/rows.ts"

export type Statement = { readonly text: string; readonly names: readonly string[] }

/** A name stands twice where its value does, with one number. */
export function statementOf(sql: string): Statement {
  const names: string[] = []
  const text = sql.replace(/(?<![:\w]):([a-zA-Z]\w*)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name)
    return `$${names.indexOf(name) + 1}`
  })
  return { text, names }
}

/**
 * Numbers go as text, so that none is rounded on the way. PostgreSQL's text has no place for NUL, as UTF-8 has none for
 * half a surrogate pair: both become the replacement character.
 */
export const parametersOf = (names: readonly string[], values: Values): (string | null)[] =>
  names.map((name) => {
    const value = values[name]
    if (value === undefined) throw new Error(`the statement wants a value for :${name}`)
    return value === null ? null : String(value).replaceAll("\0", "\ufffd")
  })
