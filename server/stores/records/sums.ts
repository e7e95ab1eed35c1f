/** Sums amounts of up to 78 digits in SQL, exactly: SQLite's SUM of such texts goes through floats. */
import type { Row } from "./rows.ts"

/** 13 digits each: 900,000 of them still fit an integer of 64 bits. */
const limbDigits = 13
const limbs = [0, 1, 2, 3, 4, 5] as const
const zeros = "0".repeat(limbs.length * limbDigits)

/** The columns of a sum over `amount`, an SQL expression of decimal text; read them with {@link limbsOf}. */
export const limbColumns = (amount: string): string =>
  limbs
    .map((limb) => {
      const digits = `substr('${zeros}' || ${amount}, length(${amount}) + ${1 + limb * limbDigits}, ${limbDigits})`
      return `CAST(sum(CAST(${digits} AS BIGINT)) AS BIGINT) AS limb_${limb}`
    })
    .join(", ")

export const limbsOf = (row: Row): bigint =>
  limbs.reduce((sum, limb) => sum * 10n ** BigInt(limbDigits) + wholeOf(row[`limb_${limb}`]), 0n)

function wholeOf(column: Row[string] | undefined): bigint {
  if (typeof column !== "bigint") throw new Error("found no whole number in a sum")
  return column
}
