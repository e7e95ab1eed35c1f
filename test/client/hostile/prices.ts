/** Hostile prices: over the limit, in other units, or in ambiguous spellings. */
import { encodeHeader } from "../../../shared/values/codec.ts"
import { json, refuse } from "../../support/fake-origin.ts"
import { type Scenario, type Setting, watch } from "./scenario.ts"

type Entry = Record<string, unknown> & { extra?: Record<string, unknown> }

const dressed = (name: string, ends: string, change: (entry: Entry) => unknown): Scenario => ({
  name,
  ends,
  arrange: ({ seller }) => {
    seller.changeEntry = change as never
  },
})
const amount = (text: unknown) => (entry: Entry) => ({ ...entry, amount: text })

const watchTimes = (times: number) => async (setting: Setting) => {
  let last: Response | undefined
  for (let call = 0; call < times; call++) last = await watch(setting)
  return last
}

/** Sells tokens that its own gate does not accept, so that every call buys again. */
function sellsNothing({ seller, clock }: Setting): void {
  seller.always("GET /movies/7", (request, response) => {
    clock.now += 1
    seller.grants.length = 0
    seller.gate(request, response)
  })
}

export const prices: readonly Scenario[] = [
  dressed("a thousand times the limit (CLI-01)", "amount_over_limit", amount("50000000")),
  dressed("one unit over the limit (CLI-01)", "amount_over_limit", amount("50001")),
  dressed("a price of 78 digits (CLI-01)", "amount_over_limit", amount("9".repeat(78))),
  dressed("a price of 1,000 digits", "entry_malformed", amount("9".repeat(1000))),
  dressed("a price of 1e4", "entry_malformed", amount("1e4")),
  dressed("a price in hex", "entry_malformed", amount("0x2710")),
  dressed("a negative price", "entry_malformed", amount("-10000")),
  dressed("a price with a sign", "entry_malformed", amount("+10000")),
  dressed("a price with a fraction", "entry_malformed", amount("10000.0")),
  dressed("a price with a space", "entry_malformed", amount(" 10000")),
  dressed("a price with leading zeros", "entry_malformed", amount("0010000")),
  dressed("a price in other digits", "entry_malformed", amount("١٠٠٠٠")),
  dressed("a numeric price", "entry_malformed", amount(10_000)),
  dressed("a price in a list", "entry_malformed", amount(["10000"])),
  dressed("a price of zero", "amount_zero", amount("0")),
  dressed("a price with claimed decimals of 18", "amount_over_limit", (entry) => ({
    ...entry,
    amount: "10000000000000000",
    extra: { ...entry.extra, decimals: 18 },
  })),
  dressed("a v1 price beside a higher v2 price", "amount_over_limit", (entry) => ({
    ...entry,
    amount: "60000",
    maxAmountRequired: "1",
    price: "$0.01",
  })),
  {
    name: "a price that rises once the first payment is signed (CLI-14)",
    ends: "outcome_unknown",
    fair: 10_000n,
    arrange({ seller }) {
      seller.always("POST /token", (_request, _response, socket) => {
        seller.offers = seller.offers.map((offer) => ({ ...offer, amount: "50000" }))
        socket.destroy()
      })
    },
    async act(setting) {
      for (let call = 0; call < 3; call++) await watch(setting).catch(() => {})
      return watch(setting)
    },
  },
  {
    name: "tokens that its gate never accepts: the daily budget stops them (CLI-02)",
    ends: "day_budget_spent",
    fair: 30_000n,
    options: () => ({ budget: { perPurchase: "0.05", perDay: "0.03" } }),
    arrange: sellsNothing,
    act: watchTimes(10),
  },
  {
    name: "a new offer name each time: the origin's budget stops them (CLI-02)",
    ends: "origin_total_spent",
    fair: 20_000n,
    options: () => ({ budget: { perPurchase: "0.05", perDay: "1", perOrigin: "0.02", perOffer: "0.01" } }),
    arrange(setting) {
      sellsNothing(setting)
      let named = 0
      setting.seller.always("POST /token", async (request, response) => {
        await setting.seller.router(request, response)
        setting.seller.offers = setting.seller.offers.map((offer) => ({
          ...offer,
          ref: `offer${++named}@00000000`,
        }))
      })
    },
    act: watchTimes(10),
  },
  {
    name: "refusals that always say buy: two signatures at most",
    ends: "purchase_refused",
    fair: 20_000n,
    arrange: ({ seller }) => seller.always("POST /token", refuse("offer_expired")),
  },
  {
    name: "refusals with ever higher offers: none over the limit is signed",
    ends: "amount_over_limit",
    fair: 10_000n,
    arrange({ seller }) {
      seller.always("POST /token", (request, response, socket) => {
        seller.offers = seller.offers.map((offer) => ({ ...offer, amount: "60000" }))
        return refuse("offer_expired")(request, response, socket)
      })
    },
  },
  {
    name: "one offer at two prices: the lower one is signed",
    ends: 200,
    fair: 10_000n,
    arrange({ seller }) {
      seller.script("GET /movies/7", (_request, response) => {
        const body = seller.challenge("token_missing", "read")
        const [entry] = body.accepts as Entry[]
        json(response, 402, { ...body, accepts: [{ ...entry, amount: "50000" }, entry] })
      })
    },
  },
  {
    name: "different prices in header and body: the header's is signed",
    ends: 200,
    fair: 10_000n,
    arrange({ seller }) {
      seller.script("GET /movies/7", (_request, response) => {
        const body = seller.challenge("token_missing", "read")
        const [entry] = body.accepts as Entry[]
        const expensive = { ...body, accepts: [{ ...entry, amount: "50000" }] }
        json(response, 402, expensive, { "payment-required": encodeHeader(body) })
      })
    },
  },
]
