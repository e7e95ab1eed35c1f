/** The row port: all that a store verb asks of a database, inside one transaction. */

/** A column as it comes: every integer as bigint, so that none is rounded. */
export type Column = string | bigint | null
export type Row = Readonly<Record<string, Column>>

/** Named parameters of a statement, written `:name` in its text. */
export type Values = Readonly<Record<string, string | number | bigint | null>>

/** SQLite returns at once and PostgreSQL later; verbs `await` either. */
type Later<T> = T | Promise<T>

/**
 * Statements are constant texts in the part of SQL that SQLite and PostgreSQL share, so that an engine prepares each once.
 * Amounts are TEXT, because SQLite's integers end at 2^63 and its SUM goes through floats.
 */
export type Rows = {
  get(sql: string, values?: Values): Later<Row | undefined>
  all(sql: string, values?: Values): Later<readonly Row[]>
  /** Resolves to the number of rows changed. */
  run(sql: string, values?: Values): Later<number>
  /**
   * Adds an entry to the ledger, and publishes its revocation. Sequences are in the order of commits: a reader that has seen
   * one never misses a lower one that is committed later. So a verb does not learn the sequence.
   */
  append(entry: NewEntry): Later<void>
}

export type NewEntry = {
  readonly at: number
  readonly kind: string
  readonly grantId: string | null
  readonly redemptionKey: string | null
  /** JSON. */
  readonly facts: string
  /** Null for the offer of the payment, or of the grant. */
  readonly offer: string | null
  /** For gates; `content` is JSON. */
  readonly revocation: {
    readonly content: string
    readonly jti: string | null
    readonly expiresAt: number
  } | null
}
