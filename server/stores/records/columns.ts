/** Reads columns: integers leave checked, amounts as bigint; nothing is rounded. */
import type { Column } from "./rows.ts"

/** For `IN`; a query uses a partial index only when both name the same states. */
export const listOf = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(", ")

/** Throws for a number beyond 2^53 instead of rounding it. */
export function integer(column: Column | undefined): number {
  const value = Number(column)
  if (typeof column !== "bigint" || !Number.isSafeInteger(value)) throw new Error("found no safe integer")
  return value
}

export const integerOrNull = (column: Column | undefined): number | null =>
  column === null ? null : integer(column)

export function text<T extends string = string>(column: Column | undefined): T {
  if (typeof column !== "string") throw new Error("found no text")
  return column as T
}

export const textOrNull = <T extends string>(column: Column | undefined): T | null =>
  column === null ? null : text<T>(column)

export const amount = (column: Column | undefined): bigint => BigInt(text(column))

export const block = (column: Column | undefined): bigint => BigInt(integer(column))

/** Amounts become decimal strings. */
export const jsonOf = (value: object): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? each.toString() : each))
