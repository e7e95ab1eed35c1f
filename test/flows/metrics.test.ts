import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { adminIn, askAdmin } from "../support/admin.ts"
import { readScrape, type Scrape, sumOf } from "../support/metrics.ts"
import { acceptedOf } from "../support/payments.ts"
import {
  cancelPayment,
  eventually,
  openService,
  postToken,
  preparePurchase,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

let service: TestService
let folder: string
let scrape: Scrape
// biome-ignore lint/suspicious/noExplicitAny: bodies are looked into freely in tests
let entries: any[]

const ask = (path: string, role: "read" | "operate" = "read") => askAdmin(service, path, { folder, role })
const sold = (outcome: string, offer = "hour") =>
  sumOf(scrape, "ticket402_purchases_total", `offer="${offer}"`, `outcome="${outcome}"`)
const ofKind = (kind: string) => entries.filter((entry) => entry.kind === kind)
const moneyOf = (kind: string): bigint =>
  ofKind(kind).reduce((sum: bigint, entry) => sum + BigInt(entry.facts.value), 0n)

async function buy(offer = 0, account = service.customer()) {
  const accepted = acceptedOf(service.issuer.config.offers[offer]!)
  const purchase = await preparePurchase({ ...service, accepted }, await account)
  return { purchase, answer: await postToken(service.url, purchase.headers) }
}

/** Four sales, of which one fails; refused payments; and calls with and without tokens. */
async function runTraffic(): Promise<void> {
  const { chain, url } = service
  const regular = service.customer()
  const first = await buy(0, regular)
  await buy(1)
  for (let call = 0; call < 7; call++) await watch(url, first.answer.body.access_token)
  await postToken(url, retryHeaders(first.purchase))
  await postToken(url, first.purchase.headers)
  await buy(0, service.customer(9_999n))
  await postToken(url, { "payment-signature": "nonsense" })
  for (let call = 0; call < 3; call++) await watch(url)
  await watch(url, "nonsense")
  await fetch(`${url}/movies`, { method: "POST" })
  await eventually(
    () => ask("/api/payments"),
    ({ body }) => body.payments.every(({ state }: { state: string }) => ["paid", "final"].includes(state)),
  )
  const again = await buy(0, regular)
  await watch(url, again.answer.body.access_token)
  await eventually(
    () => ask("/api/payments"),
    ({ body }) => body.payments.every(({ state }: { state: string }) => ["paid", "final"].includes(state)),
  )
  const loser = await service.customer()
  await chain.request("evm_setAutomine", [false])
  const lost = await buy(0, Promise.resolve(loser))
  expect(lost.answer.status).toBe(200)
  await cancelPayment(service, loser, lost.purchase.headers)
  await chain.request("evm_setAutomine", [true])
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "metrics-"))
  service = await openService({ config: { admin: adminIn(folder) } })
  await runTraffic()
  await eventually(
    () => ask("/api/payments?state=failed"),
    ({ body }) => body.payments.length === 1,
    60,
  )
  ;({
    body: { entries },
  } = await ask("/api/ledger?limit=1000"))
  // A reading of the books is shown again for a while.
  await eventually(
    async () => {
      scrape = readScrape((await ask("/metrics")).body)
      return sumOf(scrape, "ticket402_payments", 'state="failed"')
    },
    (failed) => failed === 1n,
  )
}, 120_000)
afterAll(async () => {
  await service.close()
  await rm(folder, { recursive: true })
})

describe("the metrics after scripted traffic", () => {
  it("count calls of gated routes by outcome, route and reason as they were sent", () => {
    const refusals = (route: string, status: number, reason: string) =>
      sumOf(
        scrape,
        "ticket402_gate_refusals_total",
        `route="${route}"`,
        `status="${status}"`,
        `reason="${reason}"`,
      )
    expect(sumOf(scrape, "ticket402_calls_total", 'outcome="passed"')).toBe(8n)
    expect(sumOf(scrape, "ticket402_calls_total", 'outcome="payment_required"')).toBe(4n)
    expect(sumOf(scrape, "ticket402_calls_total", 'outcome="refused"')).toBe(1n)
    expect(refusals("/movies/{id}", 402, "token_missing")).toBe(3n)
    expect(refusals("/movies", 402, "token_missing")).toBe(1n)
    expect(refusals("/movies/{id}", 401, "token_invalid")).toBe(1n)
    expect(sumOf(scrape, "ticket402_gate_refusals_total")).toBe(5n)
  })

  it("count purchases by offer and outcome, and agree with the ledger on the sales", () => {
    const salesOf = (offer: string) =>
      ofKind("redeemed").filter(({ facts }) => facts.offer.startsWith(`${offer}@`))
    expect(sold("sold")).toBe(BigInt(salesOf("hour").length))
    expect(sold("sold", "studio")).toBe(BigInt(salesOf("studio").length))
    expect([sold("sold"), sold("sold", "studio")]).toEqual([3n, 1n])
    expect([sold("repeated"), sold("authorization_conflict"), sold("insufficient_funds")]).toEqual([
      1n,
      1n,
      1n,
    ])
    expect(sumOf(scrape, "ticket402_purchases_total")).toBe(7n)
  })

  it("show money that equals the sums of the ledger to the last unit", () => {
    expect(sumOf(scrape, "ticket402_sold_atomic_units")).toBe(moneyOf("redeemed"))
    expect(sumOf(scrape, "ticket402_revenue_atomic_units")).toBe(moneyOf("settled"))
    expect(sumOf(scrape, "ticket402_loss_atomic_units")).toBe(moneyOf("failed"))
    expect(["redeemed", "settled", "failed"].map(moneyOf)).toEqual([80_000n, 70_000n, 10_000n])
    expect(
      sumOf(scrape, "ticket402_revenue_atomic_units", `asset="${service.accepted.asset.toLowerCase()}"`),
    ).toBe(70_000n)
  })

  it("count settlements and their seconds like the ledger", () => {
    for (const [outcome, kind] of [
      ["paid", "settled"],
      ["failed", "failed"],
    ] as const) {
      const count = BigInt(ofKind(kind).length)
      expect(sumOf(scrape, "ticket402_settlements_total", `outcome="${outcome}"`)).toBe(count)
      expect(sumOf(scrape, "ticket402_settlement_seconds_count", `outcome="${outcome}"`)).toBe(count)
    }
    const seconds = ofKind("settled").map(({ at, payment }) => {
      const sale = ofKind("redeemed").find((entry) => entry.payment === payment)
      return BigInt(at - sale.at)
    })
    const found = sumOf(scrape, "ticket402_settlement_seconds_sum", 'outcome="paid"')
    const wanted = seconds.reduce((sum, each) => sum + each, 0n)
    // Both clocks tick in whole seconds, and the worker reads its own after the ledger's.
    expect(found - wanted).toBeGreaterThanOrEqual(0n)
    expect(found - wanted).toBeLessThanOrEqual(BigInt(seconds.length))
    expect(sumOf(scrape, "ticket402_settlement_gas_payments_total")).toBeGreaterThanOrEqual(3n)
    expect(sumOf(scrape, "ticket402_settlement_gas_total")).toBeGreaterThan(3n * 30_000n)
  })

  it("show the funnel: offered, bought, used, renewed", () => {
    expect(sumOf(scrape, "ticket402_gate_refusals_total", 'status="402"')).toBe(4n)
    expect(sumOf(scrape, "ticket402_purchases_total", 'outcome="sold"')).toBe(4n)
    // The same grant seven times, and the second one of its payer once.
    expect(sumOf(scrape, "ticket402_grants_used_total")).toBe(2n)
    expect([sumOf(scrape, "ticket402_payers"), sumOf(scrape, "ticket402_renewals")]).toEqual([2n, 1n])
  })

  it("show grants, queue, exposure and gas against their limits", () => {
    expect(sumOf(scrape, "ticket402_active_grants", 'paid="true"')).toBe(3n)
    expect([
      sumOf(scrape, "ticket402_queue_payments"),
      sumOf(scrape, "ticket402_queue_limit_payments"),
    ]).toEqual([0n, 10_000n])
    const risk = (limit: string) =>
      ["ticket402_exposure_millionths", "ticket402_exposure_limit_millionths"].map((name) =>
        sumOf(scrape, name, `limit="${limit}"`),
      )
    expect(risk("total")).toEqual([0n, 1_000_000_000n])
    expect(risk("dailyLoss")).toEqual([10_000n, 5_000_000n])
    expect(sumOf(scrape, "ticket402_gas_wei")).toBeGreaterThan(0n)
    expect(sumOf(scrape, "ticket402_gas_runway_payments")).toBeGreaterThan(0n)
  })

  it("measure nodes, the store and signatures", () => {
    expect(sumOf(scrape, "ticket402_node_calls_total", 'node="1"', 'method="eth_call"')).toBeGreaterThan(0n)
    expect(sumOf(scrape, "ticket402_node_calls_total", 'outcome="failed"')).toBe(0n)
    expect(sumOf(scrape, "ticket402_node_seconds_count")).toBe(sumOf(scrape, "ticket402_node_calls_total"))
    // Four sales and the refusal of an unfunded payer, which the transaction decided.
    expect(sumOf(scrape, "ticket402_store_seconds_count", 'verb="redeem"')).toBeGreaterThanOrEqual(4n)
    expect(sumOf(scrape, "ticket402_store_errors_total")).toBe(0n)
    expect(sumOf(scrape, "ticket402_signing_seconds_count", 'kind="token"')).toBe(5n)
  })

  it("answer a token of role read, refuse strangers, and need no admin address in a library", async () => {
    const answer = await ask("/metrics")
    expect([answer.status, answer.headers.get("content-type")]).toEqual([
      200,
      "text/plain; version=0.0.4; charset=utf-8",
    ])
    expect((await askAdmin(service, "/metrics", { folder, headers: { authorization: "" } })).status).toBe(401)
    expect(readScrape(await service.issuer.metrics()).has("ticket402_queue_payments")).toBe(true)
  })

  it("keep two services in one process apart", async () => {
    const other = await openService({ chain: service.chain })
    try {
      await watch(other.url)
      const text = await other.issuer.metrics()
      expect(sumOf(readScrape(text), "ticket402_calls_total")).toBe(1n)
      expect(sumOf(readScrape(text), "ticket402_sold_atomic_units")).toBe(0n)
    } finally {
      await other.close()
    }
  })
})
