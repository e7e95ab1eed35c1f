/** Watches the relayers' gas on a network, and refuses sales without gas or below the cost of a settlement. */
import { Refusal } from "../../shared/refusals.ts"
import { most } from "../core/fees.ts"
import {
  costInCurrency,
  forecastGas,
  type GasForecast,
  gasPerPayment,
  learnGas,
  type Purse,
  rateSeconds,
} from "../core/gas.ts"
import type { Chain, Relayer } from "../ports/chain.ts"
import type { Logger, Now } from "../ports/runtime.ts"

export type Funding = {
  /** Throws the refusal `relayer_unfunded`, or ChainUnavailable when it cannot be known. */
  check(): Promise<void>
  /**
   * Throws the refusal `amount_below_minimum` for a value, in millionths of the currency, that is less than its settlement
   * costs now; or ChainUnavailable. Without a price of the native coin nothing is refused.
   */
  requireWorth(nominal: bigint): Promise<void>
  /** Returns the present cost of a settlement in millionths of the currency; null without a price of the native coin. */
  cost(): Promise<bigint | null>
  /** How long the gas lasts. Throws ChainUnavailable. */
  forecast(): Promise<GasForecast>
  /** Logs the forecast every hour until it is stopped. */
  start(): void
  stop(): void
  /** Learns the gas of a payment from a mined batch. Payers with code are never in one, so none can raise the figure. */
  noteBatch(gas: bigint, payments: number): void
}

export type FundingDeps = {
  readonly chain: Pick<Chain, "network" | "gasBalance" | "fees">
  readonly relayers: readonly Pick<Relayer, "address">[]
  /** Of one native coin, in millionths of the currency. */
  readonly nativePrice: bigint | undefined
  readonly now: Now
  readonly log: Logger
}

/** A good reading is believed for this long; a bad one is looked at again every second, so that funding takes effect. */
const goodForSeconds = 10
/** One reading a minute shows the rate as well as one a second. */
const purseSeconds = 60

type Reading = { readonly at: number; readonly forecast: GasForecast; readonly weiPerGas: bigint }

export function createFunding({ chain, relayers, nativePrice, now, log }: FundingDeps): Funding {
  const network = chain.network.id
  let last: Reading | undefined
  let reading: Promise<Reading> | undefined
  let purses: readonly Purse[] = []
  let gasEach = gasPerPayment
  let timer: NodeJS.Timeout | undefined

  async function read(): Promise<Reading> {
    const [fees, ...balances] = await Promise.all([
      chain.fees(),
      ...relayers.map(({ address }) => chain.gasBalance(address)),
    ])
    const at = now()
    remember({ at, wei: balances.reduce((sum, balance) => sum + balance, 0n) })
    const richest = balances.reduce(most, 0n)
    const forecast = forecastGas(purses, richest, fees.maxFeePerGas, gasEach)
    report(forecast)
    last = { at, forecast, weiPerGas: fees.maxFeePerGas }
    return last
  }

  /** The newest always stays; those before it are a minute apart, and none is older than the rate looks back. */
  function remember(purse: Purse): void {
    const kept = purses.filter(
      ({ at }, index) =>
        purse.at - at <= rateSeconds && (index === 0 || at - (purses[index - 1]?.at ?? 0) >= purseSeconds),
    )
    purses = [...kept, purse]
  }

  function report(forecast: GasForecast): void {
    const before = last?.forecast.level ?? "good"
    if (forecast.level === before) return
    const fields = fieldsOf(forecast)
    if (forecast.level === "critical") log.error(fields, "the relayer has no gas; nothing is sold")
    else if (forecast.level === "low") log.warn(fields, "the relayer runs out of gas")
    else log.info(fields, "the relayer has gas again")
  }

  const fieldsOf = ({ wei, level, payments, hours }: GasForecast) => ({
    network,
    // Not "level": a log line has one of its own, and a second hides it.
    funding: level,
    wei: wei.toString(),
    payments: payments.toString(),
    hours: hours === null ? null : Math.floor(hours),
  })

  async function current(): Promise<Reading> {
    const isGood = last !== undefined && last.forecast.level !== "critical"
    if (last && Math.abs(now() - last.at) < (isGood ? goodForSeconds : 1)) return last
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function cost(): Promise<bigint | null> {
    if (nativePrice === undefined) return null
    return costInCurrency(gasEach, (await current()).weiPerGas, nativePrice)
  }

  return {
    async check() {
      if ((await current()).forecast.level === "critical") throw new Refusal("relayer_unfunded")
    },

    async requireWorth(nominal) {
      const least = await cost()
      if (least !== null && nominal < least) throw new Refusal("amount_below_minimum")
    },

    cost,

    noteBatch(gas, payments) {
      gasEach = learnGas(gasEach, gas, payments)
    },

    forecast: async () => (await current()).forecast,

    start() {
      timer ??= setInterval(() => {
        current().then(
          ({ forecast }) => log.info(fieldsOf(forecast), "gas forecast"),
          (error: unknown) => log.warn({ network, err: error }, "the relayer's gas is not known"),
        )
      }, rateSeconds * 1000).unref()
    },

    stop() {
      clearInterval(timer)
      timer = undefined
    },
  }
}
