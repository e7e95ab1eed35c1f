/** Gates that take money and open nothing: the client pays once, and says why it does not pay again. */
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { createFileStore } from "../../../client/node/index.ts"
import { encodeHeader } from "../../../shared/values/codec.ts"
import { buyer, failure, origin, setup, startedAt } from "../../support/client-setup.ts"
import { type FakeOrigin, type Handler, hour, json, refuse } from "../../support/fake-origin.ts"

type Refusal = (seller: FakeOrigin) => Handler

const invalidToken = { "www-authenticate": 'Bearer realm="x", error="invalid_token"' }
const refusing =
  (error: string): Refusal =>
  (seller) =>
  (request, response) => {
    const body = seller.challenge(error, seller.scopeOf(request.path))
    json(response, 402, body, { "payment-required": encodeHeader(body) })
  }
/** All that a gate can answer to a call with a token. */
const answers: Record<string, Refusal> = {
  "200": () => (_request, response) => json(response, 200, {}),
  "401": () => (_request, response) => json(response, 401, {}),
  "401 by the gate": () => (_request, response) => json(response, 401, {}, invalidToken),
  "403": () => (_request, response) => json(response, 403, {}),
  "503": () => (_request, response) => json(response, 503, {}),
  token_missing: refusing("token_missing"),
  token_expired: refusing("token_expired"),
  token_exhausted: refusing("token_exhausted"),
  insufficient_scope: refusing("insufficient_scope"),
  settlement_failed: refusing("settlement_failed"),
}

function answering(seller: FakeOrigin, path: string, names: () => string): void {
  seller.always(`GET ${path}`, (request, response, socket) => {
    if (request.headers.authorization === undefined) return seller.gate(request, response)
    return answers[names()]!(seller)(request, response, socket)
  })
}

test("CLI-02: for any gate answers, payments are at least a grant's duration apart", async () => {
  const call = fc.record({
    answer: fc.constantFrom(...Object.keys(answers)),
    wait: fc.constantFrom(0, 0, 1, 200, 1_000),
  })
  const { seller, clock } = await setup()
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 4, maxLength: 10 }), async (calls) => {
      const { client, events } = buyer(clock)
      const paidAt: number[] = []
      let answer = ""
      answering(seller, "/movies/7", () => answer)
      for (const each of calls) {
        clock.now += each.wait
        answer = each.answer
        const before = events.length
        await client.fetch(`${seller.url}/movies/7`).catch(() => {})
        const bought = events.slice(before).filter(({ type }) => type === "purchase_started")
        paidAt.push(...bought.map(() => clock.now))
      }
      for (const [index, at] of paidAt.entries())
        if (index > 0) expect(at - paidAt[index - 1]!).toBeGreaterThanOrEqual(hour.durationSeconds)
    }),
    { numRuns: 25 },
  )
})

test.each(["401", "401 by the gate", "token_expired", "token_exhausted", "insufficient_scope"])(
  "CLI-16: a gate that answers %s to every token is paid once in eleven calls",
  async (answer) => {
    const { client, seller } = await setup()
    answering(seller, "/movies/7", () => answer)
    for (let call = 0; call < 11; call++) await client.fetch(`${seller.url}/movies/7`).catch(() => {})
    expect(seller.transfers).toHaveLength(1)
    // Control: the grant is kept, and used as soon as the gate accepts it.
    seller.always("GET /movies/7", seller.gate)
    expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
    expect(seller.transfers).toHaveLength(1)
  },
)

test("CLI-16: an unopened grant blocks purchases of other resources of its origin", async () => {
  const { client, seller } = await setup()
  const watch = (path: string) => {
    seller.resource = `${seller.url}${path}`
    answering(seller, path, () => "token_exhausted")
    return client.fetch(`${seller.url}${path}`)
  }
  expect((await watch("/a")).status).toBe(402)
  expect((await failure(watch("/a"))).code).toBe("paid_without_access")
  expect((await failure(watch("/b"))).code).toBe("paid_without_access")
  expect(await client.dryRun(`${seller.url}/b`)).toMatchObject({ refusal: { code: "paid_without_access" } })
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-16: forgetting a refused grant allows one more purchase", async () => {
  const { client, seller } = await setup()
  answering(seller, "/movies/7", () => "insufficient_scope")
  await client.fetch(`${seller.url}/movies/7`)
  await failure(client.fetch(`${seller.url}/movies/7`))
  for (const { id } of await client.grants()) expect(await client.forget(id)).toBe(true)
  await client.fetch(`${seller.url}/movies/7`)
  expect(seller.transfers).toHaveLength(2)
})

test("CLI-02: buys one-second grants that open no route three times an hour at most", async () => {
  const { client, seller, clock } = await setup()
  seller.offers = [{ ...hour, durationSeconds: 1 }]
  seller.tokenLifeSeconds = 600
  answering(seller, "/movies/7", () => "token_expired")
  const hourly: number[] = []
  for (let hours = 0; hours < 2; hours++) {
    const before = seller.transfers.length
    for (let call = 0; call < 16; call++) {
      await client.fetch(`${seller.url}/movies/7`).catch(() => {})
      clock.now += 225
    }
    hourly.push(seller.transfers.length - before)
  }
  expect(Math.max(...hourly)).toBeLessThanOrEqual(3)
  expect(Math.min(...hourly)).toBeGreaterThanOrEqual(1)
})

test("CLI-02: pays three times at most for grants that end before their first use", async () => {
  const { client, seller } = await setup()
  answering(seller, "/movies/7", () => "token_expired")
  for (let call = 0; call < 12; call++) {
    // The refresh is refused, and the service advises to buy.
    seller.script("POST /token", seller.router, refuse("grant_over"))
    await client.fetch(`${seller.url}/movies/7`).catch(() => {})
  }
  expect(seller.transfers.length).toBeLessThanOrEqual(3)
})

test("CLI-16: another process with the same store does not buy again", async () => {
  const clock = { now: startedAt }
  const seller = await origin(clock)
  answering(seller, "/movies/7", () => "insufficient_scope")
  const file = join(await mkdtemp(join(tmpdir(), "client-")), "client.db")
  const { account } = buyer(clock)
  for (let call = 0; call < 4; call++) {
    const store = await createFileStore({ file })
    const { client } = buyer(clock, { account, store })
    await client.fetch(`${seller.url}/movies/7`).catch(() => {})
    store.close()
  }
  expect(seller.transfers).toHaveLength(1)
})

const tokenOf = (iat: number): string => `e30.${Buffer.from(JSON.stringify({ iat })).toString("base64url")}.x`

/** A gate whose clock is behind: it refuses tokens that its own clock calls future ones. */
async function late(behindSeconds: number) {
  const world = await setup()
  const { seller, clock } = world
  seller.always("POST /token", async (request, response) => {
    const end = response.end.bind(response)
    response.end = ((text: string) =>
      end(text.replace(/"access_token":"[^"]*"/, `"access_token":"${tokenOf(clock.now)}"`))) as never
    await seller.router(request, response)
  })
  seller.always("GET /movies/7", (request, response) => {
    const { authorization } = request.headers
    if (authorization === undefined) return seller.gate(request, response)
    const gateTime = clock.now - behindSeconds
    const headers = { date: new Date(gateTime * 1000).toUTCString() }
    return gateTime < startedAt
      ? json(response, 401, { error: "invalid_token" }, { ...headers, ...invalidToken })
      : json(response, 200, {}, headers)
  })
  return world
}

test("CLI-16: sends a token again when the clock of a slow gate has caught up", async () => {
  const { client, seller, delays } = await late(8)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(delays).toEqual([9])
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-16: reports a gate whose clock is minutes behind, and does not wait", async () => {
  const { client, seller, delays, events } = await late(300)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(401)
  expect(delays).toEqual([])
  expect(events).toContainEqual(expect.objectContaining({ type: "not_accepted", clockBehindSeconds: 300 }))
  expect(seller.transfers).toHaveLength(1)
})
