/** Reads the relayers' gas and the fees of a network, forecasts how long the gas lasts, and logs each change of level. */
import { most } from "../core/fees.ts"
import { forecastGas, type GasForecast, keepPurses, type Purse } from "../core/gas.ts"
import type { Chain, Relayer } from "../ports/chain.ts"
import type { Logger, Now } from "../ports/runtime.ts"

export type GasReading = { readonly at: number; readonly forecast: GasForecast; readonly weiPerGas: bigint }

export type GasReaderDeps = {
  readonly chain: Pick<Chain, "network" | "gasBalance" | "fees">
  readonly relayers: readonly Pick<Relayer, "address">[]
  /** The average gas of a payment. */
  readonly gasEach: () => bigint
  readonly now: Now
  readonly log: Logger
}

/** A good reading is believed for this long; a bad one is looked at again every second, so that funding takes effect. */
const goodForSeconds = 10

/** Returns a function that answers the present reading, or throws ChainUnavailable. */
export function createGasReader(deps: GasReaderDeps): () => Promise<GasReading> {
  const { chain, relayers, gasEach, now, log } = deps
  let last: GasReading | undefined
  let reading: Promise<GasReading> | undefined
  let purses: readonly Purse[] = []

  async function read(): Promise<GasReading> {
    const [fees, ...balances] = await Promise.all([
      chain.fees(),
      ...relayers.map(({ address }) => chain.gasBalance(address)),
    ])
    const at = now()
    purses = keepPurses(purses, { at, wei: balances.reduce((sum, balance) => sum + balance, 0n) })
    const forecast = forecastGas(purses, balances.reduce(most, 0n), fees.maxFeePerGas, gasEach())
    report(forecast)
    last = { at, forecast, weiPerGas: fees.maxFeePerGas }
    return last
  }

  function report(forecast: GasForecast): void {
    const before = last?.forecast.level ?? "good"
    if (forecast.level === before) return
    const fields = forecastFields(chain.network.id, forecast)
    if (forecast.level === "critical") log.error(fields, "the relayer has no gas; nothing is sold")
    else if (forecast.level === "low") log.warn(fields, "the relayer runs out of gas")
    else log.info(fields, "the relayer has gas again")
  }

  return async () => {
    const isGood = last !== undefined && last.forecast.level !== "critical"
    if (last && Math.abs(now() - last.at) < (isGood ? goodForSeconds : 1)) return last
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }
}

/** The fields of a log line. */
export const forecastFields = (network: string, { wei, level, payments, hours }: GasForecast) => ({
  network,
  // Not "level": a log line has one of its own, and a second hides it.
  funding: level,
  wei: wei.toString(),
  payments: payments.toString(),
  hours: hours === null ? null : Math.floor(hours),
})
