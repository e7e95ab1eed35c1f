/** Reads and writes money: bigint in memory, atomic units on the wire, decimals of the asset in configuration. */

/** A canonical decimal string of up to 78 digits (a uint256): no sign, no leading zero, no space. */
export const atomicPattern = /^(?:0|[1-9][0-9]{0,77})$/

const decimalPattern = /^(0|[1-9][0-9]{0,77})(?:\.([0-9]{1,77}))?$/

export class AmountError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "AmountError"
  }
}

/** Reads atomic units from the wire. It never coerces, because `BigInt("")` is 0. */
export function parseAtomic(text: string): bigint {
  if (!atomicPattern.test(text)) throw new AmountError("wanted a decimal integer string of atomic units")
  return BigInt(text)
}

/** Reads `"0.01"` of an asset with 6 decimals as 10000n. More digits than the asset has are refused, never rounded. */
export function parseAmount(text: string, decimals: number): bigint {
  const match = decimalPattern.exec(text)
  if (!match) throw new AmountError(`found ${JSON.stringify(text)}, wanted a decimal such as "0.01"`)
  const [, whole = "0", fraction = ""] = match
  if (fraction.length > decimals)
    throw new AmountError(`found ${fraction.length} decimal places, the asset has ${decimals}`)
  return BigInt(whole + fraction.padEnd(decimals, "0"))
}

/** Writes 10000n of an asset with 6 decimals as `"0.01"`. */
export function formatAmount(units: bigint, decimals: number): string {
  const sign = units < 0n ? "-" : ""
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, "0")
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "")
  return `${sign}${whole}${fraction === "" ? "" : `.${fraction}`}`
}
