/** Answers the health checks, live and ready, with yes or no and without a cause but the clock. */
import { type ClockSkew, isDisabling, isNotable } from "../core/clock-skew.ts"
import type { SaleCheck } from "../feeds/sale-check.ts"
import { json } from "./respond.ts"
import type { Route } from "./router.ts"

export type HealthDeps = {
  readonly draining: () => boolean
  /** Seconds since the store last answered. */
  readonly storeAge: () => number
  /** One a network. */
  readonly sales: readonly SaleCheck[]
  readonly clockSkew: () => ClockSkew
}

/** The gate's feed reads the store every second. */
const storeMaximumSeconds = 5

export function healthRoutes(paths: { live: string; ready: string }, deps: HealthDeps): readonly Route[] {
  let asking: Promise<boolean> | undefined

  /** One network that would take a payment is enough. Most answers come from memory. */
  async function canSell(): Promise<boolean> {
    const sales = await Promise.allSettled(deps.sales.map((sale) => sale.check()))
    return sales.some(({ status }) => status === "fulfilled")
  }

  async function isReady(): Promise<boolean> {
    if (deps.draining() || deps.storeAge() > storeMaximumSeconds) return false
    // Any number of probes ask once.
    asking ??= canSell().finally(() => {
      asking = undefined
    })
    // Draining may have begun meanwhile, because a node that hangs takes seconds.
    return (await asking) && !deps.draining() && !isDisabling(deps.clockSkew())
  }

  /** Names no cause but the clock, whose error is visible nowhere else. */
  async function answerReady(): Promise<Response> {
    const ready = await isReady()
    const skew = deps.clockSkew()
    const clock = isNotable(skew) && { clock_skew_seconds: skew }
    return json(ready ? 200 : 503, { status: ready ? "ok" : "unavailable", ...clock })
  }

  return [
    { path: paths.live, methods: ["GET"], handle: () => json(200, { status: "ok" }) },
    { path: paths.ready, methods: ["GET"], handle: answerReady },
  ]
}
