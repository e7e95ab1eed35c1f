import fc from "fast-check"
import { expect, test } from "vitest"
import { createBudget, formatMicros, microsOf, parseMicros, type Reservation } from "../../client/budget.ts"
import { BudgetRefusal } from "../../client/index.ts"
import { hour, refuse } from "../support/fake-origin.ts"
import { buyer, failure, origin, setup, startedAt } from "./setup.ts"

const day = 86_400

test("CLI-02: a seller who asks for the limit on every call gets the day's budget and no more", async () => {
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
  expect(client.spent()).toEqual({ day: "0.1", left: "0.02" })
  clock.now += day - 2000
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})

test("CLI-01: the limit of one purchase is the budget's, whatever the policy let through", () => {
  const limits = { perPurchase: 10n, perDay: 100n, perOriginPerDay: 100n }
  const budget = createBudget(limits, () => startedAt)
  expect(() => budget.reserve(11n, "https://cinema.example")).toThrow(BudgetRefusal)
  budget.reserve(10n, "https://cinema.example")
  expect(budget.counted()).toBe(10n)
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

test("a refused payment counts until its validBefore, and then no more", async () => {
  const { client, seller, clock } = await setup({ budget: { perPurchase: "0.01", perDay: "0.01" } })
  seller.script("POST /token", refuse("insufficient_funds"))
  await failure(client.fetch(`${seller.url}/movies/7`))
  expect(client.spent().day).toBe("0.01")
  clock.now = startedAt + 599
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("day_budget_spent")
  clock.now = startedAt + 600
  expect(client.spent().day).toBe("0")
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})

test("a free grant counts until the signature is worthless, and then no more", async () => {
  const { client, seller, clock, events } = await setup({ budget: { perPurchase: "0.01", perDay: "0.01" } })
  seller.settlement = "none"
  seller.offers = [{ ...hour, durationSeconds: 60 }]
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(events).toContainEqual(expect.objectContaining({ type: "purchased", settlement: "none" }))
  clock.now = startedAt + 599
  expect(client.spent().day).toBe("0.01")
  clock.now = startedAt + 600
  expect(client.spent().day).toBe("0")
})

test("CLI-02: a seller who calls every grant free, and could settle all the same, gets at most one purchase over the day", async () => {
  const { client, seller, clock } = await setup({ budget: { perPurchase: "0.01", perDay: "0.05" } })
  seller.settlement = "none"
  seller.offers = [{ ...hour, durationSeconds: 60 }]
  for (let i = 0; i < 30; i++) {
    await client.fetch(`${seller.url}/movies/7`).catch(() => undefined)
    clock.now += 2000
  }
  expect(seller.transfers).toHaveLength(6)
})

test("CLI-02: a seller who always refuses, and could settle all the same, gets at most one purchase over the day", async () => {
  const { client, seller, clock } = await setup({ budget: { perPurchase: "0.01", perDay: "0.05" } })
  seller.always("POST /token", async (request, response) => {
    await seller.office(request, { writeHead: () => ({ end: () => {} }) } as never)
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

test("whatever is reserved, refused and released, a sliding day never holds more than its budget and one purchase", () => {
  const step = fc.record({
    wait: fc.integer({ min: 0, max: 20_000 }),
    micros: fc.bigInt({ min: 1n, max: 60n }),
    end: fc.constantFrom("accepted", "refused", "cancelled"),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const clock = { now: startedAt }
      const limits = { perPurchase: 50n, perDay: 200n, perOriginPerDay: 200n }
      const budget = createBudget(limits, () => clock.now)
      const signed: { at: number; micros: bigint; end: string }[] = []
      for (const { wait, micros, end } of steps) {
        clock.now += wait
        let reservation: Reservation
        try {
          reservation = budget.reserve(micros, "https://a.example")
        } catch (error) {
          expect(error).toBeInstanceOf(BudgetRefusal)
          // A refusal is never for nothing.
          expect(micros > limits.perPurchase || budget.counted() + micros > limits.perDay).toBe(true)
          continue
        }
        expect(micros <= limits.perPurchase).toBe(true)
        expect(budget.counted() <= limits.perDay).toBe(true)
        if (end === "cancelled") reservation.cancel()
        else signed.push({ at: clock.now, micros, end })
        if (end === "refused") {
          reservation.release(clock.now + 600)
          reservation.release(clock.now + 600)
        }
        const inDay = signed.filter((one) => one.at > clock.now - day)
        const total = (of: typeof inDay) => of.reduce((sum, one) => sum + one.micros, 0n)
        expect(total(inDay.filter((one) => one.end === "accepted")) <= limits.perDay).toBe(true)
        expect(total(inDay) <= limits.perDay + limits.perPurchase).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})
