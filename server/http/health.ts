/** Answers the health checks, live and ready, with yes or no, the error of the clock, the gas lost and the payments suspended. */
import { type ClockSkew, isDisabling, isNotable } from "../core/clock-skew.ts"
import type { SaleCheck } from "../feeds/sale-check.ts"
import { json } from "./respond.ts"
import type { Route } from "./router.ts"

export type HealthDeps = {
  readonly draining: () => boolean
  /** Seconds since the store and the keys were last read. */
  readonly storeAge: () => number
  /** One a network. */
  readonly sales: readonly SaleCheck[]
  readonly clockSkew: () => ClockSkew
  /** Gas that failed settlements cost in the last hour. */
  readonly failedGas: () => Promise<bigint>
  readonly failedGasBudget: bigint
  readonly suspendedCount: () => Promise<number>
}

type Answers = { readonly sells: boolean; readonly failedGas: bigint; readonly suspended: number }

/** The gate's feeds read the store and the keys every second. */
const storeMaximumSeconds = 5

export function healthRoutes(paths: { live: string; ready: string }, deps: HealthDeps): readonly Route[] {
  let asking: Promise<Answers> | undefined

  /** One network that would take a payment is enough. Most answers come from memory. */
  async function canSell(): Promise<boolean> {
    const sales = await Promise.allSettled(deps.sales.map((sale) => sale.check()))
    return sales.some(({ status }) => status === "fulfilled")
  }

  async function ask(): Promise<Answers> {
    const [sells, failedGas, suspended] = await Promise.all([
      canSell(),
      deps.failedGas(),
      deps.suspendedCount(),
    ])
    return { sells, failedGas, suspended }
  }

  const isOpen = () => !deps.draining() && deps.storeAge() <= storeMaximumSeconds

  /** Any number of probes ask once. A store that does not answer is not asked. */
  async function askOnce(): Promise<Answers> {
    if (!isOpen()) return { sells: false, failedGas: 0n, suspended: 0 }
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }

  /** Names no cause but the clock, whose error is visible nowhere else. Neither lost gas nor a suspended payment ends readiness. */
  async function answerReady(): Promise<Response> {
    const { sells, failedGas, suspended } = await askOnce()
    const skew = deps.clockSkew()
    // Draining may have begun meanwhile, because a node that hangs takes seconds.
    const ready = sells && isOpen() && !isDisabling(skew)
    return json(ready ? 200 : 503, {
      status: ready ? "ok" : "unavailable",
      ...(isNotable(skew) && { clock_skew_seconds: skew }),
      ...(failedGas > 0n && {
        failed_gas: { spent: Number(failedGas), budget: Number(deps.failedGasBudget) },
      }),
      ...(suspended > 0 && { suspended_payments: suspended }),
    })
  }

  return [
    { path: paths.live, methods: ["GET"], handle: () => json(200, { status: "ok" }) },
    { path: paths.ready, methods: ["GET"], handle: answerReady, sells: true },
  ]
}
