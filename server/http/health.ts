/** Answers the health checks, live and ready, with yes or no and without details. */
import type { Funding } from "../feeds/gas-funding.ts"
import type { Chain } from "../ports/chain.ts"
import { json } from "./respond.ts"
import type { Route } from "./router.ts"

export type HealthDeps = {
  readonly draining: () => boolean
  /** Seconds since the store last answered. */
  readonly storeAge: () => number
  readonly networks: readonly { readonly chain: Pick<Chain, "ready">; readonly funding: Funding }[]
}

/** The gate's feed reads the store every second. */
const storeMaximumSeconds = 5

export function healthRoutes(paths: { live: string; ready: string }, deps: HealthDeps): readonly Route[] {
  let asking: Promise<boolean> | undefined

  /** Ready when one network would take a payment; both questions are answered from memory most of the time. */
  async function canSell(): Promise<boolean> {
    const able = deps.networks.map(async ({ chain, funding }) => {
      await chain.ready()
      await funding.check()
    })
    return (await Promise.allSettled(able)).some(({ status }) => status === "fulfilled")
  }

  async function isReady(): Promise<boolean> {
    if (deps.draining() || deps.storeAge() > storeMaximumSeconds) return false
    // Any number of probes ask once.
    asking ??= canSell().finally(() => {
      asking = undefined
    })
    // Looked at again, because a node that hangs takes seconds.
    return (await asking) && !deps.draining()
  }

  return [
    { path: paths.live, methods: ["GET"], handle: () => json(200, { status: "ok" }) },
    {
      path: paths.ready,
      methods: ["GET"],
      handle: async () =>
        (await isReady()) ? json(200, { status: "ok" }) : json(503, { status: "unavailable" }),
    },
  ]
}
