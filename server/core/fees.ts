/** Computes gas prices (EIP-1559): the first bid of a transaction, and the raise of a replacement. */

/** Wei per gas. */
export type GasPrice = { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }

/** The suggestion, but never more than the cap. */
export const capFees = (suggested: GasPrice, cap: bigint): GasPrice => ({
  maxFeePerGas: least(suggested.maxFeePerGas, cap),
  maxPriorityFeePerGas: least(suggested.maxPriorityFeePerGas, cap),
})

/**
 * Fees of a replacement: both fields at least an eighth above the previous ones, because nodes refuse less than a tenth,
 * and no less than the suggestion. Null when the cap leaves no room for that.
 */
export function bumpFees(previous: GasPrice, suggested: GasPrice, cap: bigint): GasPrice | null {
  const floor = raise(previous.maxFeePerGas)
  if (floor > cap) return null
  const maxFeePerGas = least(most(floor, suggested.maxFeePerGas), cap)
  const wanted = most(raise(previous.maxPriorityFeePerGas), suggested.maxPriorityFeePerGas)
  return { maxFeePerGas, maxPriorityFeePerGas: least(wanted, maxFeePerGas) }
}

/** Whether the market has left it behind: a suggestion has room for the base fee to double. */
export const isPricedOut = (price: GasPrice, suggested: GasPrice): boolean =>
  price.maxFeePerGas * 2n < suggested.maxFeePerGas

// Rounded up, and never the same: a replacement of a zero tip must offer something.
const raise = (fee: bigint): bigint => most((fee * 9n + 7n) / 8n, fee + 1n)
export const most = (a: bigint, b: bigint): bigint => (a > b ? a : b)
export const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
