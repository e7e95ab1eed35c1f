/** Refuses sales without gas or below the cost of a settlement, and learns that cost from mined transactions. */
import { Refusal } from "../../shared/refusals.ts"
import { costInCurrency, firstGas, type GasForecast, learnGas, rateSeconds } from "../core/gas.ts"
import { createGasReader, forecastFields, type GasReaderDeps } from "./gas-reading.ts"

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
  /** Learns from a mined transaction of so many plain payers. Payers with code are left out: they choose their gas. */
  noteMined(gas: bigint, payments: number): void
}

export type FundingDeps = Omit<GasReaderDeps, "gasEach"> & {
  /** Of one native coin, in millionths of the currency. */
  readonly nativePrice: bigint | undefined
}

export function createFunding(deps: FundingDeps): Funding {
  const { nativePrice, log } = deps
  const network = deps.chain.network.id
  let gas = firstGas
  let timer: NodeJS.Timeout | undefined
  const current = createGasReader({ ...deps, gasEach: () => gas.each })

  async function cost(): Promise<bigint | null> {
    if (nativePrice === undefined) return null
    return costInCurrency(gas.batched, (await current()).weiPerGas, nativePrice)
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

    noteMined(used, payments) {
      gas = learnGas(gas, used, payments)
    },

    forecast: async () => (await current()).forecast,

    start() {
      timer ??= setInterval(() => {
        current().then(
          ({ forecast }) => log.info(forecastFields(network, forecast), "gas forecast"),
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
