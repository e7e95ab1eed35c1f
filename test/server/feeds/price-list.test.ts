import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeEach, describe, expect, it } from "vitest"
import { checkPrices } from "../../../server/app/start-checks.ts"
import { type ConfigInput, parseConfig } from "../../../server/config/config.ts"
import {
  type PriceFunction,
  type PriceFunctions,
  type PriceQuestion,
  pricingOf,
} from "../../../server/core/pricing.ts"
import { createPriceList } from "../../../server/feeds/price-list.ts"
import { createQuotes } from "../../../server/feeds/quote-seals.ts"
import { createChallenges } from "../../../server/gate/challenges.ts"
import { endpointsOf } from "../../../server/http/metadata.ts"
import { openKeys } from "../../../server/keys/index.ts"
import { createKeyMaintenance } from "../../../server/keys/key-maintenance.ts"
import { createRingFile } from "../../../server/keys/ring-file.ts"
import type { Keys } from "../../../server/ports/keys.ts"
import type { Logger } from "../../../server/ports/runtime.ts"
import { decodeHeader } from "../../../shared/values/codec.ts"
import { paymentRequiredHeader, paymentRequiredSchema } from "../../../shared/x402/messages.ts"
import { configInput, pricedByFunction, sepoliaId } from "../../support/offers.ts"
import { offer } from "../../support/service.ts"

const start = 1_800_000_000
const baseSepoliaId = "eip155:84532"
const networks = {
  [sepoliaId]: { rpcUrls: ["http://127.0.0.1:8545"] },
  [baseSepoliaId]: { rpcUrls: ["http://127.0.0.1:8546"] },
}
let folder: string
let time: number
let keys: Keys
let logged: string[]
const now = () => time
const note = (_fields: Record<string, unknown>, message: string) => void logged.push(message)
const log: Logger = { debug: () => {}, info: note, warn: note, error: note }

beforeEach(async () => {
  time = start
  logged = []
  folder = await mkdtemp(join(tmpdir(), "prices-"))
  keys = await openKeys(folder, { now })
})

/** Opens a price list in which `price` sets the price of the offer `hour`. */
async function open(
  price: PriceFunction,
  offers: ConfigInput["offers"] = [pricedByFunction("hour", "movies:read")],
) {
  const config = parseConfig(configInput({ networks, offers, limits: { perPayment: "0.10" } }))
  const quotes = createQuotes(keys, config.issuer)
  const list = createPriceList(
    { quotes, now, log },
    {
      ...config,
      pricing: pricingOf(config.offers, { hour: price }),
      perPayment: config.limits.perPayment,
      answerMilliseconds: 50,
    },
  )
  await list.refresh()
  const { issuer, resource } = config
  const challenges = createChallenges({
    issuer,
    resource,
    endpoints: endpointsOf(issuer, resource),
    prices: list,
    x402v1: false,
  })
  const route = { scope: "movies:read", pattern: "/movies/{id}" }
  return {
    config,
    quotes,
    list,
    challenge: (reason: Parameters<typeof challenges>[0] = "token_missing") => challenges(reason, route),
    amounts: () => list.current().flatMap(({ prices }) => prices.map(({ amount }) => amount)),
    async later(seconds: number) {
      time += seconds
      await list.refresh()
    },
  }
}
const returning = (answer: unknown): PriceFunction => (() => answer) as PriceFunction

describe("the price list", () => {
  it("sells at the function's price under a quote with an expiry", async () => {
    const questions: PriceQuestion[] = []
    const { list, quotes, config, challenge } = await open(async (question) => {
      questions.push(question)
      return "0.02"
    })
    expect(questions).toMatchObject([{ offer: "hour", network: "eip155:11155111", asset: "USDC" }])
    const [hour] = config.offers
    const [sold] = list.current()
    expect(sold).toMatchObject({ id: "hour", settle: "background", priceExpiresAt: start + 900 })
    const quote = sold?.prices[0]?.quote ?? ""
    expect(quotes.open(quote, hour!, hour!.prices[0]!)).toMatchObject({
      amount: 20_000n,
      expiresAt: start + 900,
    })
    const header = paymentRequiredSchema.parse(decodeHeader(challenge().headers[paymentRequiredHeader]!))
    expect(header.accepts).toMatchObject([{ amount: "20000", extra: { offer: hour!.ref, quote } }])
    expect(header.extensions?.["access-token"]?.info.offers[hour!.ref]).toMatchObject({
      priceExpiresAt: start + 900,
    })
  })

  it.each([
    ["throws", () => Promise.reject(new Error("no rate"))],
    [
      "throws at once",
      () => {
        throw new Error("no rate")
      },
    ],
    ["never answers", () => new Promise(() => {})],
    ["returns undefined", returning(undefined)],
    ["returns null", returning(null)],
    ["returns NaN", returning(Number.NaN)],
    ["returns a number", returning(0.02)],
    ["returns a bigint", returning(20_000n)],
    ["returns an object with toString", returning({ toString: () => "0.02" })],
    ['returns "NaN"', returning("NaN")],
    ['returns "Infinity"', returning("Infinity")],
    ["returns empty text", returning("")],
    ["tells 0", returning("0")],
    ["tells 0.000000", returning("0.000000")],
    ["returns a negative price", returning("-0.02")],
    ["returns more decimals than the asset has", returning("0.0200001")],
    ["returns an exponent", returning("2e-2")],
    ["returns hex", returning("0x10")],
    ["returns spaces", returning(" 0.02")],
    ["returns a comma", returning("0,02")],
    ["returns more than 78 digits", returning("9".repeat(78))],
  ] as [string, PriceFunction][])(
    "QTE-09: closes an offer and never gives it away when its function %s",
    async (_, price) => {
      const { list, challenge } = await open(price)
      expect(list.current()).toEqual([])
      expect(list.offers).toHaveLength(1)
      const { status, headers, body } = challenge()
      expect([status, headers["retry-after"], headers[paymentRequiredHeader]]).toEqual([503, "5", undefined])
      expect(JSON.parse(body)).toMatchObject({ reason: "price_unavailable", next: { action: "retry" } })
    },
  )

  it("QTE-09: closes a failed price at once, reopens it, and sells the rest meanwhile", async () => {
    let answer = "0.02"
    const { list, amounts, later, challenge } = await open(
      () => answer,
      [pricedByFunction("hour", "movies:read"), offer("day", "movies:read", "0.05")],
    )
    expect(amounts()).toEqual([20_000n, 50_000n])
    answer = "free"
    await later(10)
    expect(amounts()).toEqual([50_000n])
    expect(challenge().status).toBe(402)
    expect(challenge().body).not.toContain("hour@")
    await later(1)
    answer = "0.03"
    await later(1)
    expect(amounts()).toEqual([30_000n, 50_000n])
    expect(challenge().body).toContain('"30000"')
    expect(logged).toEqual([
      "the price function failed; nothing is sold at it",
      "the price function answers again",
    ])
    expect(list.current()).toBe(list.current())
  })

  it("QTE-09: closes only the price whose function failed", async () => {
    const hour = pricedByFunction("hour", "movies:read")
    const onBase = { ...hour.prices[0]!, network: baseSepoliaId }
    const { amounts } = await open(
      ({ network }) => (network === sepoliaId ? "0.02" : "0"),
      [{ ...hour, prices: [...hour.prices, onBase] }],
    )
    expect(amounts()).toEqual([20_000n])
  })

  it("QTE-09: reports an expired token as such while its offer is closed", async () => {
    const { challenge } = await open(returning(null))
    const { status, headers } = challenge("token_expired")
    expect([status, headers["www-authenticate"]]).toEqual([402, expect.stringContaining("invalid_token")])
    expect(challenge("insufficient_scope").status).toBe(503)
    expect(challenge("token_invalid").status).toBe(401)
  })

  it("calls a function every ten seconds, for any number of challenges", async () => {
    let asked = 0
    const { list, challenge, later } = await open(() => {
      asked += 1
      return "0.02"
    })
    const first = list.current()
    for (let each = 0; each < 100_000; each++) challenge()
    await later(9)
    expect([asked, list.current() === first]).toEqual([1, true])
    await later(1)
    expect(asked).toBe(2)
  })

  it("ignores an answer after the deadline and aborts its signal", async () => {
    let question: PriceQuestion | undefined
    const { list, later } = await open(async (asked) => {
      question ??= asked
      await new Promise((resolve) => asked.signal.addEventListener("abort", resolve))
      return "0.02"
    })
    expect(question?.signal.aborted).toBe(true)
    expect(list.current()).toEqual([])
    await later(0)
    expect(list.current()).toEqual([])
  })

  it("seals its quotes anew when their key is removed", async () => {
    const { list, quotes, config, later } = await open(() => "0.02")
    const [hour] = config.offers
    const quoteNow = () => list.current()[0]!.prices[0]!.quote!
    const before = quoteNow()
    time += 5
    await createKeyMaintenance(createRingFile(folder), { algorithm: "ES256", now }).remove(
      before.split(".")[0]!,
    )
    await keys.refresh()
    await later(0)
    expect(quoteNow()).not.toBe(before)
    expect(quotes.open(quoteNow(), hour!, hour!.prices[0]!)).toMatchObject({ amount: 20_000n })
  })

  it("announces settle-first for an offer whose price rose above the limit", async () => {
    let answer = "0.10"
    const { list, later, challenge } = await open(() => answer)
    expect(list.current()[0]?.settle).toBe("background")
    answer = "0.100001"
    await later(10)
    expect(list.current()[0]?.settle).toBe("first")
    expect(challenge().body).toContain('"settle":"first"')
  })

  it("compares offers by their current price", async () => {
    let answer = "0.02"
    const { later, challenge } = await open(
      () => answer,
      [
        { ...pricedByFunction("hour", "movies:read"), calls: 10 },
        { ...offer("call", "movies:read", "0.005"), calls: 1 },
      ],
    )
    const termsOf = () =>
      Object.values(JSON.parse(challenge().body).extensions["access-token"].info.offers)[0]
    expect(termsOf()).toMatchObject({ unitPrice: "2000", breakEvenCalls: 4 })
    answer = "0.04"
    await later(10)
    expect(termsOf()).toMatchObject({ unitPrice: "4000", breakEvenCalls: 8 })
  })
})

describe("a configuration with prices from a function", () => {
  const offers = [offer("day", "movies:read", "0.05"), pricedByFunction("hour", "movies:read")]

  it("gives the offer another reference than any fixed price does", () => {
    const refOf = (input: (typeof offers)[number]) =>
      parseConfig(configInput({ offers: [input] })).offers[0]?.ref
    expect(refOf(pricedByFunction("hour", "movies:read"))).not.toBe(
      refOf(offer("hour", "movies:read", "0.01")),
    )
  })

  it("QTE-08: is refused unless functions and prices without amount match", () => {
    const check = (functions: PriceFunctions) => () =>
      checkPrices(parseConfig(configInput({ offers })), functions)
    expect(check({ hour: () => "0.02" })).not.toThrow()
    expect(check({})).toThrow(/^offers\.1\.prices\.0\.amount: found nothing, wanted a decimal string/)
    for (const id of ["day", "week", "toString"])
      expect(check({ hour: () => "0.02", [id]: () => "0.02" })).toThrow(
        `prices.${id}: found a function, wanted an offer of that id with a price without "amount"`,
      )
  })

  it("is refused when quotes would expire before a buyer could sign", () => {
    expect(() => parseConfig(configInput({ offers, quoteSeconds: 119 }))).toThrow(
      /offers\.1: prices: found no amount, wanted "quoteSeconds" of at least 120/,
    )
    expect(() => parseConfig(configInput({ offers, quoteSeconds: 120 }))).not.toThrow()
  })
})
