/** Computes the cost of settlement, and forecasts the relayers' gas. */
import { most } from "./fees.ts"

/**
 * Gas of one payment among fifty before this service has receipts of its own: Circle's FiatTokenV2_2 behind its proxy,
 * through the Settler, where the payer keeps a balance. Alone it takes 86,212. The lower figure decides, because a payment
 * below it could never pay for its settlement.
 */
export const gasPerPayment = 49_340n
/** The most gas of one payment alone in its transaction. */
const gasAtMost = 150_000n

/** The weight of a new batch in the average: one in eight, so that a single odd batch changes little. */
const newWeight = 8n

/** The average gas of a payment after one more batch. */
export const learnGas = (gasEach: bigint, batchGas: bigint, payments: number): bigint =>
  (gasEach * (newWeight - 1n) + batchGas / BigInt(payments)) / newWeight

const weiPerCoin = 10n ** 18n

/** Returns millionths of a currency, rounded up. `nativePrice` is the price of one coin, in the same unit. */
export function costInCurrency(gas: bigint, weiPerGas: bigint, nativePrice: bigint): bigint {
  return (gas * weiPerGas * nativePrice + weiPerCoin - 1n) / weiPerCoin
}

/** Wei of all relayers of a network, at an instant in seconds. */
export type Purse = { readonly at: number; readonly wei: bigint }

/**
 * - `good`      lasts
 * - `low`       for less than a day, or a hundred payments
 * - `critical`  does not surely pay for one more; nothing is sold
 */
export type GasLevel = "good" | "low" | "critical"

export type GasForecast = {
  readonly wei: bigint
  readonly level: GasLevel
  /** Payments that can be settled at the present fees, in batches. */
  readonly payments: bigint
  /** At the rate of the last hour; null when nothing was spent. */
  readonly hours: number | null
}

/** How far back the rate looks. */
export const rateSeconds = 3600
const lowHours = 24
const lowPayments = 100n

/** `purses` of the last hour, oldest first and at least one; `richest` is the balance of the relayer that has most. */
export function forecastGas(
  purses: readonly Purse[],
  richest: bigint,
  weiPerGas: bigint,
  gasEach = gasPerPayment,
): GasForecast {
  const wei = purses.at(-1)?.wei ?? 0n
  const payments = wei / (gasEach * most(weiPerGas, 1n))
  const hours = hoursLeft(purses, wei)
  const isLow = payments < lowPayments || (hours !== null && hours < lowHours)
  const level = richest < gasAtMost * weiPerGas ? "critical" : isLow ? "low" : "good"
  return { wei, level, payments, hours }
}

/** Gas that arrives at a relayer meanwhile is not offset against its spending. */
function hoursLeft(purses: readonly Purse[], wei: bigint): number | null {
  const [first] = purses
  const last = purses.at(-1)
  if (!first || !last) return null
  const spent = purses.reduce((sum, { wei: before }, index) => {
    const after = purses[index + 1]?.wei ?? before
    return before > after ? sum + before - after : sum
  }, 0n)
  if (spent === 0n) return null
  const seconds = most(BigInt(last.at - first.at), 1n)
  return Number((wei * seconds) / spent) / 3600
}
