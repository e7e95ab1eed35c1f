/** Bounds the gas that failed settlements may cost in an hour, so that no wallet contract can drain the relayers. */
import type { Address, Hex } from "../../shared/values/evm.ts"

/** A try on chain that did not pay. */
export type FailedTry = {
  readonly payer: Address
  /** Hash of the payer's code at the sale; null for a plain account. */
  readonly payerCode: Hex | null
  readonly gas: bigint
}

/** Tries count for so long. */
export const failedGasSeconds = 3600
/** One code has a third of the budget: many honest wallets may run the same code as a hostile one. */
const codeShare = 3n

export const failedGasOf = (tries: readonly FailedTry[]): bigint =>
  tries.reduce((sum, { gas }) => sum + gas, 0n)

/**
 * Whether a payer with code has to wait: it failed within the hour, or its code or all payers together have used up their
 * budget of gas. A payer with a settled payment never has to.
 */
export function isCodePayerPaused(
  tries: readonly FailedTry[],
  { payer, payerCode }: Pick<FailedTry, "payer" | "payerCode">,
  settled: number,
  budget: bigint,
): boolean {
  if (payerCode === null || settled > 0) return false
  return (
    tries.some((each) => each.payer === payer) ||
    failedGasOf(tries.filter((each) => each.payerCode === payerCode)) >= budget / codeShare ||
    failedGasOf(tries) >= budget
  )
}
