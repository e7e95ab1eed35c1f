/** Computes the cost of settlement, and forecasts the relayers' gas. */
import { most } from "./fees.ts"

/** Average gas of a payment. */
export type PaymentGas = {
  /** Over all transactions: the forecast of how long the gas lasts. */
  readonly each: bigint
  /** Over batches: the least value of a payment, because one below it could never pay for its settlement. */
  readonly batched: bigint
}

/**
 * The averages before this service has receipts of its own: a payment alone, and one among fifty through the Settler, in
 * Circle's FiatTokenV2_2 behind its proxy, where the payer keeps a balance.
 */
export const firstGas: PaymentGas = { each: 86_212n, batched: 49_340n }
/** The most gas of one payment alone in its transaction. The first one to a new `payTo` takes 103,300. */
const gasAtMost = 150_000n

/** The weight of a new transaction in an average: one in eight, so that a single odd one changes little. */
const newWeight = 8n

/** The averages after one more transaction. */
export function learnGas(gas: PaymentGas, used: bigint, payments: number): PaymentGas {
  const here = used / BigInt(payments)
  const learn = (average: bigint) => (average * (newWeight - 1n) + here) / newWeight
  return { each: learn(gas.each), batched: payments > 1 ? learn(gas.batched) : gas.batched }
}

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
  /** Payments that can be settled at the present fees, with the average gas of the last ones. */
  readonly payments: bigint
  /** At the rate of the last hour; null when nothing was spent. */
  readonly hours: number | null
}

/** How far back the rate looks. */
export const rateSeconds = 3600
/** One reading a minute shows the rate as well as one a second. */
const purseSeconds = 60
const lowHours = 24
const lowPayments = 100n

/** Adds the newest purse. Those before it stay a minute apart, and none is older than the rate looks back. */
export function keepPurses(purses: readonly Purse[], newest: Purse): readonly Purse[] {
  const kept = purses.filter(
    ({ at }, index) =>
      newest.at - at <= rateSeconds && (index === 0 || at - (purses[index - 1]?.at ?? 0) >= purseSeconds),
  )
  return [...kept, newest]
}

/** `purses` of the last hour, oldest first and at least one; `richest` is the balance of the relayer that has most. */
export function forecastGas(
  purses: readonly Purse[],
  richest: bigint,
  weiPerGas: bigint,
  gasEach = firstGas.each,
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
