/** Honest sellers, odd ones among them, who must be paid: a client that never pays would pass all the rest. */
import { encodeHeader } from "../../../shared/values/codec.ts"
import { hangUp, json, redirect } from "../../support/fake-origin.ts"
import { film, type Scenario, watch } from "./world.ts"

const fair = 10_000n

export const controls: readonly Scenario[] = [
  { name: "a fair price", ends: 200, fair },
  {
    name: "five calls, one payment",
    ends: 200,
    fair,
    async act(world) {
      for (let call = 0; call < 4; call++) await watch(world)
      return watch(world)
    },
  },
  {
    name: "twenty calls at once, one payment (CLI-13)",
    ends: 200,
    fair,
    act: async (world) => (await Promise.all(Array.from({ length: 20 }, () => watch(world))))[19],
  },
  {
    name: "an office that loses two answers, one payment (CLI-14)",
    ends: 200,
    fair,
    arrange: ({ seller }) => void seller.script("POST /token", hangUp, hangUp),
  },
  {
    name: "an office on a listed address elsewhere (CLI-05)",
    ends: 200,
    fair,
    // This one is trusted: what gets there is no leak, so it plays the seller's part itself.
    options: ({ seller }) => ({ tokenEndpoints: [`${seller.url.replace("127.0.0.1", "localhost")}/token`] }),
    arrange: ({ seller }) => {
      seller.tokenEndpoint = `${seller.url.replace("127.0.0.1", "localhost")}/token`
    },
  },
  {
    name: "a redirect within the seller's house",
    ends: 200,
    fair,
    arrange: ({ seller }) => seller.always("GET /old", redirect("/movies/7", 308)),
    act: (world) => world.client.fetch(`${world.seller.url}/old`),
  },
  {
    name: "entries that only the body holds",
    ends: 200,
    fair,
    arrange: ({ seller }) =>
      seller.script("GET /movies/7", (_request, response) => {
        const body = seller.challenge("token_missing", "read")
        json(response, 402, body, { "payment-required": encodeHeader({ ...body, accepts: [] }) })
      }),
  },
  {
    name: "a good entry among bad ones",
    ends: 200,
    fair,
    arrange: ({ seller }) =>
      seller.script("GET /movies/7", (_request, response) => {
        const body = seller.challenge("token_missing", "read")
        json(response, 402, { ...body, accepts: [null, 7, { scheme: "upto" }, ...body.accepts] })
      }),
  },
  {
    name: "the limit to the unit",
    ends: 200,
    fair: 50_000n,
    arrange: ({ seller }) => {
      seller.offers = seller.offers.map((offer) => ({ ...offer, amount: "50000" }))
    },
  },
  {
    name: "a token lost by a new gate, refreshed and not bought again",
    ends: 200,
    fair,
    async act(world) {
      await watch(world)
      world.clock.now += 400
      return world.client.fetch(film(world))
    },
  },
]
