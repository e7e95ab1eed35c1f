import { expect, test } from "vitest"
import { formatMicros, microsOf, parseMicros, refusalOf } from "../../../client/core/budget-rules.ts"
import { BudgetRefusal } from "../../../client/index.ts"
import { buyer, failure, origin, setup, startedAt } from "../../support/client-setup.ts"
import { hour, refuse } from "../../support/fake-origin.ts"

const day = 86_400
const payTo = "0x209693bc6afc0c5328ba36faf03c514ef312287c" as const
const limits = {
  perPurchase: 10n,
  perDay: 100n,
  perOriginPerDay: undefined,
  perOrigin: undefined,
  perOffer: undefined,
  total: undefined,
}

test("CLI-02: a seller charging the limit at every call gets the daily budget at most", async () => {
  const { client, seller, clock } = await setup({ budget: { perPurchase: "0.05", perDay: "0.12" } })
  seller.offers = [{ ...hour, amount: "50000", durationSeconds: 60 }]
  for (let i = 0; i < 2; i++) {
    expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
    clock.now += 2000
  }
  const error = await failure(client.fetch(`${seller.url}/movies/7`))
  expect(error).toBeInstanceOf(BudgetRefusal)
  expect(error).toMatchObject({
    code: "day_budget_spent",
    found: "0.05 with 0.1 counted",
    wanted: "at most 0.12",
  })
  expect(seller.transfers).toHaveLength(2)
  expect(await client.spent()).toEqual({ day: "0.1", left: "0.02", total: "0.1" })
  clock.now += day - 2000
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})

test("CLI-01: the budget limits one purchase even if the policy allowed it", () => {
  const nothing = { day: 0n, originDay: 0n, origin: 0n, offer: 0n, total: 0n, refusals: 0, recipients: [] }
  const expense = { micros: 11n, payTo, isApproved: true }
  expect(refusalOf(expense, nothing, limits)).toMatchObject({ rule: "amount_over_limit" })
  expect(refusalOf({ ...expense, micros: 10n }, nothing, limits)).toBeUndefined()
})

test("CLI-02: one origin gets its own share of the day at most", async () => {
  const clock = { now: startedAt }
  const [a, b] = await Promise.all([origin(clock), origin(clock)])
  const { client } = buyer(clock, {
    budget: { perPurchase: "0.05", perDay: "1", perOriginPerDay: "0.01" },
  })
  a.offers = [{ ...hour, durationSeconds: 60 }]
  expect((await client.fetch(`${a.url}/movies/7`)).status).toBe(200)
  clock.now += 2000
  expect((await failure(client.fetch(`${a.url}/movies/7`))).code).toBe("origin_budget_spent")
  expect((await client.fetch(`${b.url}/movies/7`)).status).toBe(200)
})

test("a refused payment counts until its validBefore", async () => {
  const { client, seller, clock } = await setup({ budget: { perPurchase: "0.01", perDay: "0.01" } })
  seller.script("POST /token", refuse("insufficient_funds"))
  await failure(client.fetch(`${seller.url}/movies/7`))
  expect((await client.spent()).day).toBe("0.01")
  clock.now = startedAt + 599
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("day_budget_spent")
  clock.now = startedAt + 600
  expect((await client.spent()).day).toBe("0")
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})

test("a free grant counts until its signature expires", async () => {
  const { client, seller, clock, events } = await setup({ budget: { perPurchase: "0.01", perDay: "0.01" } })
  seller.settlement = "none"
  seller.offers = [{ ...hour, durationSeconds: 60 }]
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(events).toContainEqual(expect.objectContaining({ type: "purchased", settlement: "none" }))
  clock.now = startedAt + 599
  expect((await client.spent()).day).toBe("0.01")
  clock.now = startedAt + 600
  expect((await client.spent()).day).toBe("0")
})

test("CLI-02: grants claimed as free cost at most one purchase over the daily budget", async () => {
  const { client, seller, clock } = await setup({ budget: { perPurchase: "0.01", perDay: "0.05" } })
  seller.settlement = "none"
  seller.offers = [{ ...hour, durationSeconds: 60 }]
  for (let i = 0; i < 30; i++) {
    await client.fetch(`${seller.url}/movies/7`).catch(() => undefined)
    clock.now += 2000
  }
  expect(seller.transfers).toHaveLength(6)
})

test("CLI-02: refusals that settle secretly cost at most one purchase over the budget", async () => {
  const { client, seller, clock } = await setup({ budget: { perPurchase: "0.01", perDay: "0.05" } })
  seller.always("POST /token", async (request, response) => {
    await seller.router(request, { writeHead: () => ({ end: () => {} }) } as never)
    await refuse("insufficient_funds")(request, response, null as never)
  })
  for (let i = 0; i < 30; i++) {
    await failure(client.fetch(`${seller.url}/movies/7`))
    clock.now += 700
  }
  expect(seller.transfers).toHaveLength(6)
})

test("amounts are compared in millionths of the currency, rounded up", () => {
  expect(microsOf(10_000n, 6)).toBe(10_000n)
  expect(microsOf(1n, 18)).toBe(1n)
  expect(microsOf(50_000_000_000_000_001n, 18)).toBe(50_001n)
  expect(microsOf(5n, 2)).toBe(50_000n)
  expect(formatMicros(parseMicros("0.05"))).toBe("0.05")
})
