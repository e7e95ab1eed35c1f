/** Measures every verb of the store, and counts the sales that it recorded. */
import type { MetricName } from "../core/metrics.ts"
import { idOf } from "../core/offers.ts"
import type { Count, Metrics, Timing } from "../ports/metrics.ts"
import type { Redeemed } from "../ports/records.ts"
import type { Store } from "../ports/store.ts"

type AnyVerb = (input: unknown) => Promise<unknown>

const purchases = "ticket402_purchases_total" satisfies MetricName

/** The same store. */
export function observedStore(store: Store, metrics: Metrics): Store {
  const { close, ...verbs } = store
  const timed = Object.entries(verbs as Record<string, AnyVerb>).map(([verb, run]) => {
    const time = metrics.histogram("ticket402_store_seconds", { verb })
    const errors = metrics.counter("ticket402_store_errors_total", { verb })
    return [verb, measured(run, time, errors)]
  })
  const all: Store = { ...Object.fromEntries(timed), close }

  function countSale(sale: Redeemed, outcome: string): void {
    metrics.counter(purchases, { offer: idOf(sale.grant.offer ?? ""), outcome }).add()
  }

  return {
    ...all,
    async redeem(order) {
      const outcome = await all.redeem(order)
      if (outcome.kind === "redeemed") countSale(outcome, saleOf(outcome))
      return outcome
    },
    async topUp(order) {
      const outcome = await all.topUp(order)
      if (outcome.kind === "redeemed")
        metrics.counter(purchases, { offer: idOf(order.topUp.offer.ref), outcome: "topped_up" }).add()
      return outcome
    },
    async claim(order) {
      const outcome = await all.claim(order)
      if (outcome.kind === "redeemed") countSale(outcome, "claimed")
      return outcome
    },
  }
}

function saleOf({ grant, redemption }: Redeemed): "sold" | "settled_first" | "free" {
  if (!grant.paid) return "free"
  return redemption.policy === "first" ? "settled_first" : "sold"
}

/** The same function. Its errors are counted and thrown on. */
export function measured<A extends readonly unknown[], T>(
  run: (...input: A) => Promise<T>,
  time: Timing,
  errors: Count,
): (...input: A) => Promise<T> {
  return async (...input) => {
    const startedAt = performance.now()
    try {
      return await run(...input)
    } catch (error) {
      errors.add()
      throw error
    } finally {
      time.observe((performance.now() - startedAt) / 1000)
    }
  }
}
