import { describe, expect, it } from "vitest"
import { metrics as table } from "../../../server/core/metrics.ts"
import { createCallTally } from "../../../server/metrics/call-tally.ts"
import { createFigures } from "../../../server/metrics/figures.ts"
import { createLabelBounds } from "../../../server/metrics/label-bounds.ts"
import { createMetrics } from "../../../server/metrics/registry.ts"
import type { PaymentSum } from "../../../server/ports/records.ts"
import { openStore } from "../../../server/stores/index.ts"
import type { Address } from "../../../shared/values/evm.ts"
import { readScrape, sumOf } from "../../support/metrics.ts"
import { orderOf } from "../../support/orders.ts"

const create = () => createMetrics(createLabelBounds(["hour"]))
const scrapeOf = async (metrics: ReturnType<typeof create>) => readScrape(await metrics.text())
const asset = "0x1c7d4b196cb0c7b01d743fbc6116a902379c7238"
const network = "eip155:11155111"

describe("the metrics", () => {
  it("MET-01: keep at most 200 routes, and count the others as other", async () => {
    const metrics = create()
    for (let route = 0; route < 5000; route++)
      metrics
        .counter("ticket402_gate_refusals_total", {
          route: `/${route}`,
          status: "402",
          reason: "token_missing",
        })
        .add()
    const scrape = await scrapeOf(metrics)
    const series = [...scrape.keys()].filter((name) => name.startsWith("ticket402_gate_refusals_total"))
    expect(series).toHaveLength(201)
    expect(sumOf(scrape, "ticket402_gate_refusals_total", 'route="other"')).toBe(4800n)
    expect(sumOf(scrape, "ticket402_gate_refusals_total")).toBe(5000n)
  })

  it("MET-01: count offers, reasons and networks that the service does not have as other", async () => {
    const metrics = create()
    for (const offer of ["hour", "evil", 'a"} 1\n', "hour@1"])
      metrics.counter("ticket402_purchases_total", { offer, outcome: "sold" }).add()
    metrics.counter("ticket402_settlements_total", { network: "eip155:999", outcome: "paid" }).add()
    const refused = { route: "/", status: "402", reason: "because" }
    metrics.counter("ticket402_gate_refusals_total", refused).add()
    const scrape = await scrapeOf(metrics)
    expect(sumOf(scrape, "ticket402_purchases_total", 'offer="hour"')).toBe(1n)
    expect(sumOf(scrape, "ticket402_purchases_total", 'offer="other"')).toBe(3n)
    expect(sumOf(scrape, "ticket402_settlements_total", 'network="other"')).toBe(1n)
    expect(sumOf(scrape, "ticket402_gate_refusals_total", 'reason="other"')).toBe(1n)
  })

  it("write amounts beyond 2^53 with all digits, and add up those with equal labels", async () => {
    const metrics = create()
    const value = 2n ** 64n + 1n
    const name = "ticket402_revenue_atomic_units"
    metrics.gauges(async () => [
      { name, labels: { network, asset }, value },
      { name, labels: { asset, network }, value: 2n },
    ])
    expect(sumOf(await scrapeOf(metrics), name)).toBe(value + 2n)
  })

  it("show no value of a gauge that could not be read this time", async () => {
    const metrics = create()
    let isKnown = true
    metrics.gauges(async () =>
      isKnown ? [{ name: "ticket402_gas_runway_hours", labels: { network }, value: 7 }] : [],
    )
    expect(sumOf(await scrapeOf(metrics), "ticket402_gas_runway_hours")).toBe(7n)
    isKnown = false
    expect([...(await scrapeOf(metrics)).keys()].join()).not.toContain("gas_runway_hours")
  })

  it("declare every row of the table once, with its type", async () => {
    const text = await create().text()
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type])
    const wanted = Object.entries(table).map(([name, { type }]) => [name, type === "amount" ? "gauge" : type])
    expect(types.sort()).toEqual(wanted.sort())
  })

  it("count a grant as used once, and remember a bounded number of grants", async () => {
    const metrics = create()
    const tally = createCallTally(metrics)
    const use = (grant: string) => tally.passed({ grant } as Parameters<typeof tally.passed>[0])
    for (const grant of ["a", "a", "b", "a"]) use(grant)
    expect(sumOf(await scrapeOf(metrics), "ticket402_grants_used_total")).toBe(2n)
    for (let grant = 0; grant < 100_000; grant++) use(String(grant))
    use("99999")
    expect(sumOf(await scrapeOf(metrics), "ticket402_grants_used_total")).toBe(100_002n)
    use("a")
    expect(sumOf(await scrapeOf(metrics), "ticket402_grants_used_total")).toBe(100_003n)
    expect(sumOf(await scrapeOf(metrics), "ticket402_calls_total")).toBe(100_006n)
  })
})

describe("the figures of a scrape", () => {
  const limits = {
    ...{ queue: 10, perPayment: 1n, perPayer: 1n, newPayer: 1, total: 1n, dailyLoss: 1n, failedGas: 1 },
  }

  it("come without gas while the node does not answer, and within its time limit", async () => {
    const store = await openStore("memory:")
    const forecast = () => new Promise<never>(() => {})
    const read = createFigures({ store, limits, funding: new Map([[network, { forecast }]]), now: () => 0 })
    const names = (await read()).map(({ name }) => name)
    expect(names).toContain("ticket402_queue_payments")
    expect(names).not.toContain("ticket402_gas_wei")
    await store.close()
  })

  it("count failed and suspended payments as losses where their token was issued before the money", async () => {
    const store = await openStore("memory:")
    const sum = (state: PaymentSum["state"], policy: PaymentSum["policy"], value: bigint): PaymentSum => ({
      ...{ network, asset: asset as Address, state, policy, payments: 1, value },
    })
    const sums = [
      sum("failed", "background", 1n),
      sum("suspended", "background", 20n),
      sum("failed", "first", 300n),
      sum("sent", "background", 4000n),
      sum("final", "background", 50_000n),
      sum("free", "background", 600_000n),
    ]
    const paymentSums: typeof store.paymentSums = async () => ({ sums, next: null })
    const figures = createFigures({
      store: { ...store, paymentSums },
      limits,
      funding: new Map(),
      now: () => 0,
    })
    const metrics = create()
    metrics.gauges(figures)
    const scrape = await scrapeOf(metrics)
    expect(sumOf(scrape, "ticket402_loss_atomic_units")).toBe(21n)
    expect(sumOf(scrape, "ticket402_revenue_atomic_units")).toBe(50_000n)
    expect(sumOf(scrape, "ticket402_sold_atomic_units")).toBe(54_321n)
    expect(sumOf(scrape, "ticket402_payments")).toBe(6n)
    await store.close()
  })

  it("MET-02: many scrapes at once read the books once", async () => {
    const store = await openStore("memory:")
    await store.redeem(orderOf())
    let readings = 0
    const counting: typeof store = {
      ...store,
      paymentSums(input) {
        readings += 1
        return store.paymentSums(input)
      },
    }
    const read = createFigures({ store: counting, limits, funding: new Map(), now: () => 0 })
    await Promise.all(Array.from({ length: 20 }, read))
    expect(readings).toBe(1)
    await store.close()
  })
})
