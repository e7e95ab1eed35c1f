import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeEach, describe, expect, it } from "vitest"
import { parseConfig } from "../../../server/config/config.ts"
import { createOfferBoard, type Offer, type Price } from "../../../server/core/offers.ts"
import { locatePayment, matchPayment } from "../../../server/core/payment.ts"
import { readQuote, sealedText, writeQuote } from "../../../server/core/price-quote.ts"
import { createQuotes, type Quotes } from "../../../server/feeds/quote-seals.ts"
import { openKeys } from "../../../server/keys/index.ts"
import { createKeyMaintenance } from "../../../server/keys/key-maintenance.ts"
import { quoteOverlapSeconds } from "../../../server/keys/ring-changes.ts"
import { createRingFile } from "../../../server/keys/ring-file.ts"
import type { Keys } from "../../../server/ports/keys.ts"
import { Refusal } from "../../../shared/refusals.ts"
import type { PaymentRequirements } from "../../../shared/x402/messages.ts"
import { configInput, pricedByFunction, sepoliaId } from "../../support/offers.ts"
import { randomAccount, signPayment } from "../../support/payments.ts"

const baseSepoliaId = "eip155:84532"
const start = 1_800_000_000
const account = randomAccount()
const config = parseConfig(
  configInput({
    networks: {
      [sepoliaId]: { rpcUrls: ["http://127.0.0.1:8545"] },
      [baseSepoliaId]: { rpcUrls: ["http://127.0.0.1:8546"] },
    },
    offers: [
      {
        ...pricedByFunction("hour", "movies:read"),
        prices: [sepoliaId, baseSepoliaId].map((network) => ({ network, asset: "USDC" })),
      },
      pricedByFunction("studio", "movies:write"),
    ],
  }),
)
const [hour, studio] = config.offers as [Offer, Offer]
const [onSepolia, onBase] = hour.prices as [Price, Price]

let folder: string
let time: number
let keys: Keys
let quotes: Quotes
const now = () => time
const maintenance = () => createKeyMaintenance(createRingFile(folder), { algorithm: "ES256", now })

beforeEach(async () => {
  time = start
  folder = await mkdtemp(join(tmpdir(), "quotes-"))
  keys = await openKeys(folder, { now })
  quotes = createQuotes(keys, config.issuer)
})

const make = (offer = hour, price = onSepolia, amount = 20_000n, expiresAt = start + 900): string =>
  quotes.make(offer, price, { amount, expiresAt })

const acceptedWith = (quote: string | undefined, offer = hour, price = onSepolia): PaymentRequirements => ({
  scheme: price.scheme,
  network: price.network,
  amount: "20000",
  asset: price.asset,
  payTo: price.payTo,
  maxTimeoutSeconds: price.maxTimeoutSeconds,
  extra: { offer: offer.ref, ...(quote !== undefined && { quote }) },
})

async function match(
  accepted: PaymentRequirements,
  { value = BigInt(accepted.amount), at = time }: { value?: bigint; at?: number } = {},
): Promise<string> {
  const records = config.offers.map((offer) => ({ offer, replacedAt: null }))
  const { payload } = await signPayment({ accepted, account, now: at, terms: { value } })
  try {
    const { price } = matchPayment(locatePayment(payload), createOfferBoard(records, 900, quotes.open))
    return `matched at ${price.amount}`
  } catch (error) {
    if (error instanceof Refusal) return error.reason
    throw error
  }
}

describe("a payment with a price quote", () => {
  it("QTE-04: is matched at the quoted amount after the price has changed", async () => {
    expect(await match(acceptedWith(make()))).toBe("matched at 20000")
    make(hour, onSepolia, 30_000n)
    expect(await match(acceptedWith(make()))).toBe("matched at 20000")
  })

  it("QTE-01, QTE-04: must pay the quoted amount exactly, whatever `accepted` says", async () => {
    const accepted = acceptedWith(make())
    expect(await match(accepted, { value: 19_999n })).toBe("amount_mismatch")
    expect(await match(accepted, { value: 20_001n })).toBe("amount_mismatch")
    expect(await match({ ...accepted, amount: "1" })).toBe("amount_mismatch")
  })

  it("QTE-04: is matched if it was signed before the quote expired", async () => {
    const accepted = acceptedWith(make())
    time = start + 901
    expect(await match(accepted, { at: start + 900 })).toBe("matched at 20000")
    expect(await match(accepted, { at: start + 901 })).toBe("quote_expired")
  })

  it("QTE-05: is refused without a quote where the offer has no fixed price", async () => {
    expect(await match(acceptedWith(undefined))).toBe("quote_invalid")
    expect(await match(acceptedWith(""))).toBe("quote_invalid")
  })
})

describe("a price quote", () => {
  it("QTE-05: is refused after any edit, insertion or deletion", async () => {
    const quote = make()
    for (let at = 0; at < quote.length; at++) {
      const other = quote[at] === "1" ? "2" : "1"
      const edits = [other, "", `${quote[at]}0`, "."].map(
        (text) => quote.slice(0, at) + text + quote.slice(at + 1),
      )
      for (const edited of edits.filter((text) => text !== quote))
        expect(quotes.open(edited, hour, onSepolia), edited).toBeUndefined()
    }
    const sealed = readQuote(quote)!
    for (const change of [
      { amount: 1n },
      { expiresAt: start + 86_400 },
      { kid: "0".repeat(16) },
      { seal: "A".repeat(22) },
    ]) {
      const edited = writeQuote({ ...sealed, ...change })
      expect(await match(acceptedWith(edited)), edited).toBe("quote_invalid")
    }
  })

  it("QTE-05: is refused when the spare bits of its seal differ", () => {
    const quote = make()
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    const good = [...alphabet].filter((last) => quotes.open(quote.slice(0, -1) + last, hour, onSepolia))
    expect(good).toEqual([quote.at(-1)])
  })

  it("QTE-05, QTE-10, RPL-24: is bound to one offer, network, asset and service", async () => {
    const quote = make()
    expect(await match(acceptedWith(quote, studio, studio.prices[0]))).toBe("quote_invalid")
    expect(await match(acceptedWith(quote, hour, onBase))).toBe("quote_invalid")
    expect(quotes.open(quote, hour, { ...onSepolia, asset: `0x${"1".repeat(40)}` })).toBeUndefined()
    expect(quotes.open(quote, hour, { ...onSepolia, scheme: "upto" })).toBeUndefined()
    expect(quotes.open(quote, { ...hour, ref: "hour@00000000" }, onSepolia)).toBeUndefined()
    // Two services may share one key folder.
    expect(createQuotes(keys, "https://other.example").open(quote, hour, onSepolia)).toBeUndefined()
    const otherKeys = await openKeys(await mkdtemp(join(tmpdir(), "quotes-")), { now })
    expect(createQuotes(otherKeys, config.issuer).open(quote, hour, onSepolia)).toBeUndefined()
  })

  it("QTE-05: is sealed with a key that seals nothing else", () => {
    const { kid } = readQuote(make())!
    const terms = { amount: 20_000n, expiresAt: start + 900 }
    const { network, scheme, asset } = onSepolia
    const text = sealedText({ issuer: config.issuer, offer: hour.ref, network, scheme, asset }, terms)
    expect(quotes.open(writeQuote({ ...terms, kid, seal: keys.seal(text) }), hour, onSepolia)).toBeUndefined()
    expect(keys.isSealed(text, keys.sealQuote(text).seal)).toBe(false)
  })
})

describe("the quote keys", () => {
  it("QTE-04: keep old quotes valid after a rotation until their overlap ends", async () => {
    const old = make(hour, onSepolia, 20_000n, start + 86_400 * 2)
    time += 86_400
    expect(await maintenance().rotate()).toMatchObject({ waitSeconds: 0 })
    await keys.refresh()
    const fresh = make()
    expect(readQuote(fresh)!.kid).not.toBe(readQuote(old)!.kid)
    for (const quote of [old, fresh]) expect(quotes.open(quote, hour, onSepolia)).toBeDefined()
    time += quoteOverlapSeconds - 1
    expect(quotes.open(old, hour, onSepolia)).toBeDefined()
    time += 1
    expect(quotes.open(old, hour, onSepolia)).toBeUndefined()
    expect(quotes.open(fresh, hour, onSepolia)).toBeDefined()
  })

  it("QTE-05: invalidate quotes of a removed key at once in every process", async () => {
    const other = await openKeys(folder, { now })
    const quote = make()
    time += 60
    expect(await maintenance().remove(readQuote(quote)!.kid)).toBe(true)
    await Promise.all([keys.refresh(), other.refresh()])
    expect(quotes.open(quote, hour, onSepolia)).toBeUndefined()
    expect(createQuotes(other, config.issuer).open(quote, hour, onSepolia)).toBeUndefined()
    expect(createQuotes(other, config.issuer).open(make(), hour, onSepolia)).toBeDefined()
    expect(await maintenance().list()).toContainEqual(
      expect.objectContaining({ use: "quote", state: "active" }),
    )
  })
})
