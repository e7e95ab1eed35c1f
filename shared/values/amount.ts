/** Money: bigint in memory, decimal strings of atomic units on the wire, decimal strings of the asset in configuration. */

/** Canonical decimal string of an unsigned integer of at most 78 digits (a uint256): no sign, no leading zero, no space. */
export const atomicPattern = /^(?:0|[1-9][0-9]{0,77})$/

const decimalPattern = /^(0|[1-9][0-9]{0,77})(?:\.([0-9]{1,77}))?$/

export class AmountError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "AmountError"
  }
}

/** Atomic units as written on the wire. Never coerces: `BigInt("")` would be 0. */
export function parseAtomic(text: string): bigint {
  if (!atomicPattern.test(text)) throw new AmountError("wanted a decimal integer string of atomic units")
  return BigInt(text)
}

/** `"0.01"` of an asset with 6 decimals is 10000n. More digits than the asset has are refused, never rounded. */
export function parseAmount(text: string, decimals: number): bigint {
  const match = decimalPattern.exec(text)
  if (!match) throw new AmountError(`found ${JSON.stringify(text)}, wanted a decimal such as "0.01"`)
  const [, whole = "0", fraction = ""] = match
  if (fraction.length > decimals)
    throw new AmountError(`found ${fraction.length} decimal places, the asset has ${decimals}`)
  return BigInt(whole + fraction.padEnd(decimals, "0"))
}

/** 10000n of an asset with 6 decimals is `"0.01"`. */
export function formatAmount(units: bigint, decimals: number): string {
  const sign = units < 0n ? "-" : ""
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, "0")
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "")
  return `${sign}${whole}${fraction === "" ? "" : `.${fraction}`}`
}
