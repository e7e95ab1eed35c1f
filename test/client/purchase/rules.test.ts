import { describe, expect, test } from "vitest"
import {
  type Approve,
  BudgetRefusal,
  type ClientOptions,
  createMemoryStore,
  PolicyRefusal,
} from "../../../client/index.ts"
import { buyer, failure, origin, setup, startedAt } from "../../support/client-setup.ts"
import { hour, otherPayTo } from "../../support/fake-origin.ts"

const day = 86_400
const budget = { perPurchase: "0.05", perDay: "1.00" }
/** A short grant, so that the next call buys again. */
const minute = { ...hour, durationSeconds: 60 }

/** Records approval requests and answers them from the list. */
function scriptedApproval(...answers: unknown[]) {
  const asked: Parameters<Approve>[0][] = []
  const approve: Approve = async (purchase) => {
    asked.push(purchase)
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return answer as boolean
  }
  return { asked, approve }
}

describe("lifetime limits", () => {
  test.each<[keyof ClientOptions["budget"], string]>([
    ["perOrigin", "origin_total_spent"],
    ["perOffer", "offer_total_spent"],
    ["total", "total_spent"],
  ])("CLI-02: %s is not reset by the next day", async (limit, rule) => {
    const { client, seller, clock } = await setup({ budget: { ...budget, [limit]: "0.02" } })
    seller.offers = [minute]
    for (let days = 0; days < 2; days++) {
      expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
      clock.now += 2 * day
    }
    // Other terms of the same offer count for the same offer.
    seller.offers = [{ ...minute, ref: "hour@00000002" }]
    const error = await failure(client.fetch(`${seller.url}/movies/7`))
    expect(error).toBeInstanceOf(BudgetRefusal)
    expect(error).toMatchObject({ code: rule, found: "0.01 with 0.02 counted", wanted: "at most 0.02" })
    expect(seller.transfers).toHaveLength(2)
    expect(await client.spent()).toEqual({ day: "0", left: "1", total: "0.02" })
  })

  test("two clients of one store share one budget", async () => {
    const store = createMemoryStore()
    const { client, seller, clock } = await setup({ store, budget: { ...budget, total: "0.01" } })
    await client.fetch(`${seller.url}/movies/7`)
    const second = buyer(clock, { store, budget: { ...budget, total: "0.01" } })
    expect((await failure(second.client.fetch(`${seller.url}/movies/7`))).code).toBe("total_spent")
    expect(await second.client.grants()).toEqual([])
  })
})

describe("the allow lists", () => {
  test.each<[string, NonNullable<ClientOptions["allow"]>, string]>([
    ["an origin", { origins: ["https://api.example"] }, "origin_not_allowed"],
    ["an asset", { assets: [] }, "asset_not_allowed"],
    ["a recipient", { recipients: [otherPayTo] }, "recipient_not_allowed"],
  ])("CLI-08: refuse %s that is not listed before anything is signed", async (_name, allow, rule) => {
    const { client, seller } = await setup({ allow })
    const error = await failure(client.fetch(`${seller.url}/movies/7`))
    expect(error).toBeInstanceOf(PolicyRefusal)
    expect(error.code).toBe(rule)
    expect(seller.requestsTo("POST /token")).toEqual([])
  })

  test("control: permit listed values at any listed recipient", async () => {
    const { clock, seller } = await setup()
    const allow = { origins: [seller.url], assets: ["USDC"], recipients: [seller.payTo, otherPayTo] }
    const { client } = buyer(clock, { allow })
    seller.offers = [minute]
    expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
    clock.now += 2000
    seller.payTo = otherPayTo
    expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  })
})

describe("recipients", () => {
  test("are refused when they changed, until approved", async () => {
    const { client, seller, clock } = await setup()
    seller.offers = [minute]
    await client.fetch(`${seller.url}/movies/7`)
    clock.now += 2000
    const known = seller.payTo
    seller.payTo = otherPayTo
    const error = await failure(client.fetch(`${seller.url}/movies/7`))
    expect(error).toBeInstanceOf(PolicyRefusal)
    expect(error).toMatchObject({ code: "recipient_changed", found: otherPayTo.toLowerCase() })
    expect(error.wanted).toContain(known.toLowerCase())
    expect(seller.transfers).toHaveLength(1)
    await client.approveRecipient(seller.url, otherPayTo)
    expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
    expect(seller.transfers[1]?.payTo).toBe(otherPayTo.toLowerCase())
  })

  test("are approved interactively and remembered", async () => {
    const { asked, approve } = scriptedApproval(false, true)
    const { client, seller, clock } = await setup({ approve, budget: { ...budget, approveAbove: "0.05" } })
    seller.offers = [minute]
    await client.fetch(`${seller.url}/movies/7`)
    seller.payTo = otherPayTo
    clock.now += 2000
    expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("approval_denied")
    for (let purchases = 0; purchases < 2; purchases++) {
      expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
      clock.now += 2000
    }
    expect(asked.map(({ reason }) => reason)).toEqual(["recipient_changed", "recipient_changed"])
  })

  test("that changed are avoided when another entry pays a known one", async () => {
    const { asked, approve } = scriptedApproval()
    const { client, seller, clock } = await setup({ approve, budget: { ...budget, approveAbove: "0.05" } })
    seller.offers = [minute]
    await client.fetch(`${seller.url}/movies/7`)
    clock.now += 2000
    seller.offers = [minute, { ...minute, ref: "dear@00000002", amount: "20000" }]
    seller.changeEntry = (entry) => ({ ...entry, ...(entry.amount === "10000" && { payTo: otherPayTo }) })
    expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
    expect(seller.transfers.map(({ value }) => value)).toEqual([10_000n, 20_000n])
    expect(asked).toEqual([])
  })
})

describe("approval", () => {
  test("is requested above the threshold, with readable figures, once for parallel calls", async () => {
    const { asked, approve } = scriptedApproval(true)
    const { client, seller } = await setup({ approve, budget: { ...budget, approveAbove: "0.02" } })
    await client.fetch(`${seller.url}/movies/7`)
    expect(asked).toEqual([])
    seller.offers = [{ ...hour, ref: "write@00000001", scope: "write", amount: "50000" }]
    const calls = Array.from({ length: 5 }, () => client.fetch(`${seller.url}/write`))
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array(5).fill(200))
    expect(asked).toEqual([
      {
        reason: "price",
        origin: seller.url,
        resource: `${seller.url}/`,
        offer: "write@00000001",
        scope: "write",
        price: "0.05",
        amount: "0.05",
        asset: "USDC",
        network: "eip155:11155111",
        payTo: seller.payTo.toLowerCase(),
        durationSeconds: 3600,
        calls: null,
      },
    ])
  })

  test.each([
    ["false", false],
    ["undefined", undefined],
    ["a truthy string", "yes"],
    ["an error", new Error("my key is 0xdeadbeef")],
  ])("%s refuses the purchase and nothing is signed or counted", async (_name, answer) => {
    const { approve } = scriptedApproval(answer)
    const { client, seller } = await setup({ approve })
    const error = await failure(client.fetch(`${seller.url}/movies/7`))
    expect(error).toMatchObject({ code: "approval_denied", action: "stop" })
    expect(error.message).not.toContain("deadbeef")
    expect(seller.requestsTo("POST /token")).toEqual([])
    expect((await client.spent()).total).toBe("0")
  })

  test("is not requested for a purchase that the budget refuses", async () => {
    const { asked, approve } = scriptedApproval(true)
    const { client, seller } = await setup({ approve, budget: { perPurchase: "0.05", perDay: "0.001" } })
    expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("day_budget_spent")
    expect(asked).toEqual([])
  })
})

describe("a dry run", () => {
  test("prices a call, pays nothing and names the approval needed", async () => {
    const { approve } = scriptedApproval()
    const { client, seller } = await setup({ approve })
    const dryRun = await client.dryRun(`${seller.url}/movies/7`, { method: "POST", body: "b" })
    expect(dryRun).toMatchObject({
      kind: "sale",
      purchase: { price: "0.01", asset: "USDC", offer: hour.ref, origin: seller.url },
      refusal: undefined,
      approval: "price",
    })
    expect(seller.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(["POST /movies/7"])
    expect(seller.handled).toEqual([])
    expect((await client.spent()).total).toBe("0")
  })

  test.each<[string, Partial<ClientOptions>, string, string | undefined]>([
    ["amount_over_limit", { budget: { perPurchase: "0.009", perDay: "1" } }, "0.01 with 0 counted", "0.01"],
    ["day_budget_spent", { budget: { perPurchase: "1", perDay: "0.009" } }, "0.01 with 0 counted", "0.01"],
    ["origin_not_allowed", { allow: { origins: ["https://api.example"] } }, "http://127.0.0.1", undefined],
    ["network_not_allowed", { networks: ["eip155:84532"] }, "eip155:11155111", undefined],
  ])("names the refusing rule: %s", async (code, options, found, price) => {
    const { client, seller } = await setup(options)
    const dryRun = await client.dryRun(`${seller.url}/movies/7`)
    expect(dryRun).toMatchObject({ kind: "sale", refusal: { code, found: expect.stringContaining(found) } })
    if (dryRun.kind === "sale") expect(dryRun.purchase?.price).toBe(price)
    // The call itself throws the same code.
    expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe(code)
  })

  test("reports a held grant, a free page and a 402 of another kind", async () => {
    const { client, seller } = await setup()
    await client.fetch(`${seller.url}/movies/7`)
    expect(await client.dryRun(`${seller.url}/movies/8`)).toMatchObject({
      kind: "held",
      grant: { id: seller.grants[0]?.id, scope: "read" },
    })
    seller.always("GET /free", (_request, response) => void response.writeHead(204).end())
    expect(await client.dryRun(`${seller.url}/free`)).toEqual({ kind: "free", status: 204 })
    seller.always("GET /old", (_request, response) => void response.writeHead(402).end("pay me"))
    expect(await client.dryRun(`${seller.url}/old`)).toEqual({ kind: "unknown" })
    expect(seller.transfers).toHaveLength(1)
  })

  test("CLI-04: follows no redirect to another origin", async () => {
    const { client, seller, clock } = await setup()
    const other = await origin(clock)
    seller.always(
      "GET /movies/7",
      (_q, response) => void response.writeHead(302, { location: other.url }).end(),
    )
    expect((await failure(client.dryRun(`${seller.url}/movies/7`))).code).toBe("redirect_origin")
    expect(other.requests).toEqual([])
  })
})

describe("a wrong option is named", () => {
  test.each<[string, Partial<ClientOptions>]>([
    ["budget.total", { budget: { ...budget, total: "lots" } }],
    ["budget.perOffer", { budget: { ...budget, perOffer: "1000000001" } }],
    ["approve", { budget: { ...budget, approveAbove: "0.01" } }],
    ["allow.origins", { allow: { origins: ["api.example"] } }],
    ["allow.assets", { allow: { assets: ["EURC"] } }],
    ["allow.recipients", { allow: { recipients: ["0x1234"] } }],
    ["expectedCalls", { expectedCalls: 0.5 }],
  ])("%s", async (name, options) => {
    const clock = { now: startedAt }
    expect(() => buyer(clock, options)).toThrow(`The option ${name} is wrong`)
  })
})
