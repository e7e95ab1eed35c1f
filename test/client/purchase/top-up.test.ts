import { expect, test } from "vitest"
import { createMemoryStore } from "../../../client/index.ts"
import { encodeHeader } from "../../../shared/values/codec.ts"
import { buyer, origin, setup } from "../../support/client-setup.ts"
import { type FakeOrigin, type Handler, hour, json, refuse } from "../../support/fake-origin.ts"

/** The token endpoint's own 402, as for a top-up. */
const priced =
  (seller: FakeOrigin): Handler =>
  (_request, response) => {
    const body = seller.challenge("token_missing", "read")
    json(response, 402, body, { "payment-required": encodeHeader(body) })
  }

/** A top-up's answer, with the refresh token current when the payment arrived. */
const extended =
  (seller: FakeOrigin, first: () => Promise<unknown> = async () => {}): Handler =>
  async (_request, response) => {
    const [grant] = seller.grants
    if (!grant) throw new Error("no grant to top up")
    const { id, generation, scope } = grant
    await first()
    grant.tokens.set("token.further", Number.POSITIVE_INFINITY)
    json(response, 200, {
      access_token: "token.further",
      token_type: "Bearer",
      expires_in: 300,
      scope,
      refresh_token: `${id}.${generation}`,
      grant: {
        id,
        expires_at: grant.endsAt + 3600,
        calls_remaining: null,
        settlement: { state: "settled" },
      },
    })
  }

function gate() {
  let open = (): void => {}
  const isOpen = new Promise<void>((resolve) => {
    open = resolve
  })
  return { isOpen, open }
}

const offers = { offer: hour.ref }
const shown = (seller: FakeOrigin) =>
  seller
    .requestsTo("POST /token")
    .filter(({ headers }) => headers["payment-signature"] !== undefined)
    .map(({ body }) => new URLSearchParams(body).get("refresh_token"))

test("CLI-12: a top-up sends its own seller's refresh token despite equal grant ids", async () => {
  const store = createMemoryStore()
  const { client, clock, seller, account } = await setup({ store })
  const other = await origin(clock)
  await client.fetch(`${seller.url}/movies/7`)
  await client.fetch(`${other.url}/movies/7`)
  const payer = account.address.toLowerCase() as `0x${string}`
  const [copy, own] = await store.listGrants(payer)
  if (!copy || !own) throw new Error("expected two bought grants")
  await store.forget(copy)
  await store.add({ ...copy, id: own.id })
  seller.script("POST /token", priced(seller), extended(seller))
  await client.topUp(`${seller.url}/movies/7`, offers)
  expect(shown(seller)).toEqual([null, own.refreshToken])
  const otherGrant = (await store.listGrants(payer)).find(({ resource }) => resource === copy.resource)
  expect(otherGrant?.accessToken).toBe(copy.accessToken)
})

test("CLI-12: a top-up goes to the grant's token endpoint and to no other", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  seller.tokenEndpoint = `${seller.url}/elsewhere`
  seller.script("POST /token", priced(seller))
  await expect(client.topUp(`${seller.url}/movies/7`, offers)).rejects.toMatchObject({
    code: "purchase_refused",
  })
  expect(seller.requestsTo("POST /elsewhere")).toEqual([])
})

test("a refresh waits for a running top-up, whose answer would restore an old token", async () => {
  const [answered, waited] = [gate(), gate()]
  const { client, clock, seller } = await setup({
    delay: () => {
      waited.open()
      return answered.isOpen
    },
    onEvent: ({ type }) => type === "refreshed" && waited.open(),
  })
  const film = `${seller.url}/movies/7`
  await client.fetch(film)
  clock.now += 298
  let call: Promise<Response> | undefined
  const callMeanwhile = () => {
    call = client.fetch(film)
    return waited.isOpen
  }
  seller.script("POST /token", priced(seller), extended(seller, callMeanwhile))
  await client.topUp(film, offers)
  answered.open()
  expect((await call)?.status).toBe(200)
  // The stored refresh token works for the next refresh.
  clock.now += 298
  expect((await client.fetch(film)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
})

test("a top-up with a stale refresh token is repeated once with the newest", async () => {
  const { client, seller } = await setup()
  const film = `${seller.url}/movies/7`
  await client.fetch(film)
  seller.script("POST /token", priced(seller), refuse("refresh_token_stale"))
  seller.script("POST /token", (request, response) => seller.router(request, response), extended(seller))
  await client.topUp(film, offers)
  expect(shown(seller).map((token) => token?.split(".")[1])).toEqual([undefined, "0", "1"])
})

test("a 402 of the token endpoint is returned unpaid, also to a dry run", async () => {
  const { clock, seller } = await setup()
  for (const payPerCall of [false, true]) {
    const { client, events } = buyer(clock, { payPerCall })
    const router = `${seller.url}/token?offer=${hour.ref}`
    seller.script("POST /token", priced(seller), priced(seller))
    const response = await client.fetch(router, { method: "POST" })
    expect(await response.json()).toMatchObject({ x402Version: 2 })
    expect(await client.dryRun(router, { method: "POST" })).toEqual({ kind: "unknown" })
    expect(events).toEqual([{ type: "ignored", origin: seller.url }])
    expect((await client.spent()).total).toBe("0")
  }
  expect(seller.transfers).toEqual([])
})
