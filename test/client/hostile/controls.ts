/** Honest sellers that must be paid: a client that never pays would pass every other table. */
import { encodeHeader } from "../../../shared/values/codec.ts"
import { cutConnection, json, redirect } from "../../support/fake-origin.ts"
import { film, type Scenario, watch } from "./scenario.ts"

const fair = 10_000n

export const controls: readonly Scenario[] = [
  { name: "a fair price", ends: 200, fair },
  {
    name: "five calls make one payment",
    ends: 200,
    fair,
    async act(setting) {
      for (let call = 0; call < 4; call++) await watch(setting)
      return watch(setting)
    },
  },
  {
    name: "twenty concurrent calls make one payment (CLI-13)",
    ends: 200,
    fair,
    act: async (setting) => (await Promise.all(Array.from({ length: 20 }, () => watch(setting))))[19],
  },
  {
    name: "a token endpoint that loses two answers gets one payment (CLI-14)",
    ends: 200,
    fair,
    arrange: ({ seller }) => void seller.script("POST /token", cutConnection, cutConnection),
  },
  {
    name: "a listed token endpoint on another origin (CLI-05)",
    ends: 200,
    fair,
    // This endpoint is trusted, so it is the seller's own under another name.
    options: ({ seller }) => ({ tokenEndpoints: [`${seller.url.replace("127.0.0.1", "localhost")}/token`] }),
    arrange: ({ seller }) => {
      seller.tokenEndpoint = `${seller.url.replace("127.0.0.1", "localhost")}/token`
    },
  },
  {
    name: "a redirect within the seller's origin",
    ends: 200,
    fair,
    arrange: ({ seller }) => seller.always("GET /old", redirect("/movies/7", 308)),
    act: (setting) => setting.client.fetch(`${setting.seller.url}/old`),
  },
  {
    name: "entries in the body only",
    ends: 200,
    fair,
    arrange: ({ seller }) =>
      seller.script("GET /movies/7", (_request, response) => {
        const body = seller.challenge("token_missing", "read")
        json(response, 402, body, { "payment-required": encodeHeader({ ...body, accepts: [] }) })
      }),
  },
  {
    name: "a valid entry among invalid ones",
    ends: 200,
    fair,
    arrange: ({ seller }) =>
      seller.script("GET /movies/7", (_request, response) => {
        const body = seller.challenge("token_missing", "read")
        json(response, 402, { ...body, accepts: [null, 7, { scheme: "upto" }, ...body.accepts] })
      }),
  },
  {
    name: "a price at the exact limit",
    ends: 200,
    fair: 50_000n,
    arrange: ({ seller }) => {
      seller.offers = seller.offers.map((offer) => ({ ...offer, amount: "50000" }))
    },
  },
  {
    name: "an expired token is refreshed and not bought again",
    ends: 200,
    fair,
    async act(setting) {
      await watch(setting)
      setting.clock.now += 400
      return setting.client.fetch(film(setting))
    },
  },
]
