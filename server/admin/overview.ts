/** Serves the figures of one look: sales of a day, value at risk against its limits, queue, gas and health. */
import { z } from "zod"
import { formatAmount } from "../../shared/values/amount.ts"
import { type ExposureLimits, isOpen } from "../core/exposure.ts"
import { sumSales } from "../delivery/sales-sums.ts"
import type { Funding } from "../feeds/gas-funding.ts"
import type { SaleCheck } from "../feeds/sale-check.ts"
import { json } from "../http/respond.ts"
import type { Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { readQuery } from "./input.ts"
import { totalView } from "./ledger-api.ts"
import type { AdminRoute } from "./routes.ts"

export type OverviewDeps = {
  readonly store: Pick<Store, "newest" | "firstSince" | "ledger" | "sums" | "standing">
  readonly limits: ExposureLimits
  /** By CAIP-2 id. */
  readonly networks: ReadonlyMap<
    string,
    { readonly funding: Pick<Funding, "forecast">; readonly sale: SaleCheck }
  >
  readonly now: Now
}

const daySeconds = 86_400
/** Limits are in millionths of the currency. */
const decimals = 6

export const overviewRoutes = (deps: OverviewDeps): readonly AdminRoute[] => [
  {
    method: "GET",
    path: "/api/overview",
    role: "read",
    async handle({ request }) {
      readQuery(request, z.strictObject({}))
      const { store, limits, now } = deps
      const filter = { from: now() - daySeconds }
      const [newest, standing, totals, networks] = await Promise.all([
        store.newest(),
        store.standing(),
        sumSales(store, { filter, by: null, per: null }),
        Promise.all([...deps.networks].map(networkView)),
      ])
      return json(200, {
        at: now(),
        ...newest,
        day: totals.map((total) => totalView(total, null)),
        unsettled: shareOf(standing.unsettled, limits.total),
        lost: {
          ...shareOf(standing.lost, limits.dailyLoss),
          breaker: isOpen(standing.losers, newPayer, limits) ? "open" : "closed",
        },
        queue: { payments: standing.queued, limit: limits.queue },
        networks,
      })
    },
  },
]

/** For new payers the breaker counts the losses of everybody. */
const newPayer = { settled: 0 }

const shareOf = (value: bigint, limit: bigint) => ({
  value: formatAmount(value, decimals),
  limit: formatAmount(limit, decimals),
})

/** A node that does not answer leaves its figures unknown, and the others as they are. */
async function networkView([network, { funding, sale }]: [
  string,
  { readonly funding: Pick<Funding, "forecast">; readonly sale: SaleCheck },
]) {
  const [forecast, sells] = await Promise.allSettled([funding.forecast(), sale.check()])
  return {
    network,
    sells: sells.status === "fulfilled",
    gas:
      forecast.status === "rejected"
        ? null
        : {
            level: forecast.value.level,
            wei: forecast.value.wei.toString(),
            payments: forecast.value.payments.toString(),
            hours: forecast.value.hours,
          },
  }
}
