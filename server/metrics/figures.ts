/** Reads the gauges: payments and money of the books, exposure against its limits, and the gas of the relayers. */
import { setTimeout as sleep } from "node:timers/promises"
import type { ExposureLimits } from "../core/exposure.ts"
import { isSettled, type RedemptionState } from "../core/redemption.ts"
import type { Funding } from "../feeds/gas-funding.ts"
import type { ReadSamples, Sample } from "../ports/metrics.ts"
import type { PaymentSum } from "../ports/records.ts"
import type { Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"

export type FigureDeps = {
  readonly store: Pick<Store, "paymentSums" | "population" | "standing" | "failedGas">
  readonly limits: ExposureLimits
  /** By CAIP-2 id. */
  readonly funding: ReadonlyMap<string, Pick<Funding, "forecast">>
  readonly now: Now
}

/** Payments summed in one transaction, which takes some milliseconds. */
const rangeSize = 10_000
/** A reading of the books is shown again for so many times as long as it took: 5 % of the time goes to readings. */
const restFactor = 20
/** A scrape waits so long for a node. */
const gasMilliseconds = 1000

export function createFigures({ store, limits, funding, now }: FigureDeps): ReadSamples {
  const readBooks = restingRead(async () => [
    ...moneySamples(await readSums(store)),
    ...(await readPopulation()),
  ])

  async function readPopulation(): Promise<readonly Sample[]> {
    const { paidGrants, freeGrants, payers, settledPayments } = await store.population({ now: now() })
    return [
      { name: "ticket402_active_grants", labels: { paid: "true" }, value: paidGrants },
      { name: "ticket402_active_grants", labels: { paid: "false" }, value: freeGrants },
      { name: "ticket402_payers", labels: {}, value: payers },
      { name: "ticket402_renewals", labels: {}, value: settledPayments - payers },
    ]
  }

  async function readRisk(): Promise<readonly Sample[]> {
    const [{ unsettled, lost, queued }, failedGas] = await Promise.all([
      store.standing(),
      store.failedGas({ now: now() }),
    ])
    return [
      { name: "ticket402_queue_payments", labels: {}, value: queued },
      { name: "ticket402_queue_limit_payments", labels: {}, value: limits.queue },
      { name: "ticket402_exposure_millionths", labels: { limit: "total" }, value: unsettled },
      { name: "ticket402_exposure_millionths", labels: { limit: "dailyLoss" }, value: lost },
      { name: "ticket402_exposure_limit_millionths", labels: { limit: "total" }, value: limits.total },
      {
        name: "ticket402_exposure_limit_millionths",
        labels: { limit: "dailyLoss" },
        value: limits.dailyLoss,
      },
      { name: "ticket402_failed_gas", labels: {}, value: failedGas },
      { name: "ticket402_failed_gas_limit", labels: {}, value: limits.failedGas },
    ]
  }

  return async () => {
    const gas = [...funding].map(([network, { forecast }]) => readGas(network, forecast))
    return (await Promise.all([readBooks(), readRisk(), ...gas])).flat()
  }
}

async function readSums(store: Pick<Store, "paymentSums">): Promise<readonly PaymentSum[]> {
  const found: PaymentSum[] = []
  for (let after: number | null = 0; after !== null; ) {
    const { sums, next }: Awaited<ReturnType<Store["paymentSums"]>> = await store.paymentSums({
      after,
      limit: rangeSize,
    })
    found.push(...sums)
    after = next
  }
  return found
}

/** The value of a suspended payment counts as lost until its money comes. */
const lostStates: readonly RedemptionState[] = ["failed", "suspended"]

function moneySamples(sums: readonly PaymentSum[]): readonly Sample[] {
  return sums.flatMap(({ network, asset, state, policy, payments, value }): readonly Sample[] => {
    const counted: Sample = { name: "ticket402_payments", labels: { network, state }, value: payments }
    // Nothing is taken from a whitelisted payer.
    if (state === "free") return [counted]
    const labels = { network, asset }
    const isLost = policy === "background" && lostStates.includes(state)
    return [
      counted,
      { name: "ticket402_sold_atomic_units", labels, value },
      { name: "ticket402_revenue_atomic_units", labels, value: isSettled(state) ? value : 0n },
      { name: "ticket402_loss_atomic_units", labels, value: isLost ? value : 0n },
    ]
  })
}

/** A node that does not answer leaves the gas unknown; its failed calls are counted. */
async function readGas(network: string, forecast: Funding["forecast"]): Promise<readonly Sample[]> {
  const late = sleep(gasMilliseconds, undefined, { ref: false })
  const gas = await Promise.race([forecast().catch(() => undefined), late])
  if (!gas) return []
  const labels = { network }
  return [
    { name: "ticket402_gas_wei", labels, value: gas.wei },
    { name: "ticket402_gas_runway_payments", labels, value: gas.payments },
    ...(gas.hours === null
      ? []
      : [{ name: "ticket402_gas_runway_hours" as const, labels, value: gas.hours }]),
  ]
}

/** Reads again after a rest that grows with the time of a reading. Scrapes at the same time share one. */
function restingRead(read: ReadSamples): ReadSamples {
  let last: { readonly samples: readonly Sample[]; readonly until: number } | undefined
  let reading: Promise<readonly Sample[]> | undefined

  async function readOnce(): Promise<readonly Sample[]> {
    const startedAt = performance.now()
    const samples = await read()
    const tookMilliseconds = performance.now() - startedAt
    last = { samples, until: performance.now() + restFactor * tookMilliseconds }
    return samples
  }

  return async () => {
    if (last && performance.now() < last.until) return last.samples
    reading ??= readOnce().finally(() => {
      reading = undefined
    })
    return reading
  }
}
