import { expect, test } from "vitest"
import { buyer, failure, setup } from "../../support/client-setup.ts"
import { cutConnection, hour, json, refuse } from "../../support/fake-origin.ts"

const isRefresh = (r: { body: string }) => r.body.startsWith("grant_type=refresh_token")

test("a token about to expire is refreshed before it is sent", async () => {
  const { client, seller, clock, events } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 296
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
  const [, refresh] = seller.requestsTo("POST /token")
  expect(refresh).toMatchObject({ body: expect.stringMatching(/^grant_type=refresh_token&refresh_token=/) })
  expect(refresh?.headers).toMatchObject({
    "content-type": expect.stringContaining("application/x-www-form-urlencoded"),
  })
  expect(refresh?.headers["payment-signature"]).toBeUndefined()
  expect(refresh?.headers["ticket402-secret"]).toBeUndefined()
  expect(events.at(-1)).toMatchObject({ type: "refreshed", origin: seller.url })
  // The last request carried a valid token: no 402 came back.
  expect(seller.requests.slice(-2).map((r) => r.path)).toEqual(["/token", "/movies/7"])
})

test("a token in the last fifth of its lifetime is refreshed in the background", async () => {
  const { client, seller, clock, events } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 239
  await client.fetch(`${seller.url}/movies/7`)
  expect(seller.requestsTo("POST /token")).toHaveLength(1)
  clock.now += 2
  let answer = (): void => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  seller.script("POST /token", async (request, response) => {
    await answered
    await seller.router(request, response)
  })
  const calls = Array.from({ length: 3 }, () => client.fetch(`${seller.url}/movies/7`))
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200])
  expect(events.filter(({ type }) => type === "refreshed")).toEqual([])
  answer()
  await expect.poll(() => events.at(-1)?.type).toBe("refreshed")
  expect(seller.requestsTo("POST /token").filter(isRefresh)).toHaveLength(1)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  const shown = seller.requestsTo("GET /movies/7").map(({ headers }) => headers.authorization)
  expect(shown.at(-1)).not.toBe(shown.at(-2))
})

test("a grant that is not in use is never refreshed", async () => {
  const { client, seller, clock } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  seller.offers = [{ ...hour, ref: "write@00000001", scope: "write", amount: "20000" }]
  await client.fetch(`${seller.url}/write`)
  clock.now += 270
  // The grant of the last call is in use, and only that one is refreshed.
  await client.fetch(`${seller.url}/write`)
  await expect.poll(() => seller.requestsTo("POST /token").filter(isRefresh).length).toBe(1)
  expect(seller.requestsTo("POST /token").find(isRefresh)?.body).toContain(seller.grants[1]?.id)
})

test("a refused background refresh fails the next call before it pays", async () => {
  const { client, seller, clock } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 270
  seller.script("POST /token", refuse("settlement_failed"))
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  await expect.poll(() => client.grants()).toEqual([])
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "refresh_refused",
    reason: "settlement_failed",
    action: "stop",
  })
  expect(seller.transfers).toHaveLength(1)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})

test("CLI-13: 20 parallel calls with an expired token refresh once and pay nothing", async () => {
  const { client, seller, clock } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 400
  const calls = Array.from({ length: 20 }, (_, i) => client.fetch(`${seller.url}/movies/${i}`))
  expect((await Promise.all(calls)).map((answer) => answer.status)).toEqual(Array(20).fill(200))
  expect(seller.requestsTo("POST /token").filter(isRefresh)).toHaveLength(1)
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-13: 20 parallel calls refused for an expired token refresh once", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  for (const grant of seller.grants) for (const token of grant.tokens.keys()) grant.tokens.set(token, 0)
  const calls = Array.from({ length: 20 }, (_, i) => client.fetch(`${seller.url}/movies/${i}`))
  expect((await Promise.all(calls)).map((answer) => answer.status)).toEqual(Array(20).fill(200))
  expect(seller.requestsTo("POST /token").filter(isRefresh)).toHaveLength(1)
  expect(seller.transfers).toHaveLength(1)
})

test("a lost refresh is repeated with the secret, which the first one omits", async () => {
  const { client, seller, clock, events } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 400
  seller.script("POST /token", async (request, response, socket) => {
    response.end = (() => socket.destroy()) as never
    await seller.router(request, response)
  })
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  const [first, second] = seller.requestsTo("POST /token").filter(isRefresh)
  expect(second?.body).toBe(first?.body)
  expect(first?.headers["ticket402-secret"]).toBeUndefined()
  expect(second?.headers["ticket402-secret"]).toMatch(/^[0-9a-f]{64}$/)
  expect(events).toContainEqual({ type: "resent", origin: seller.url, what: "refresh", attempt: 2 })
  expect(seller.transfers).toHaveLength(1)
})

test("an unanswered refresh is a typed error, not a payment; the next has the secret", async () => {
  const { client, seller, clock } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 400
  seller.always("POST /token", refuse("store_unavailable"))
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "refresh_unanswered",
    action: "retry",
  })
  seller.always("POST /token", seller.router)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.requestsTo("POST /token").at(-1)?.headers["ticket402-secret"]).toBeDefined()
  expect(seller.transfers).toHaveLength(1)
})

test("an expired grant is forgotten and bought once more", async () => {
  const { client, seller, clock } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 3601
  expect(await client.grants()).toEqual([])
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(2)
  expect(await client.grants()).toHaveLength(1)
})

test("a clock skew of nine minutes does not cause a second purchase", async () => {
  const { clock, seller } = await setup()
  seller.offers = [{ ...hour, durationSeconds: 3000 }]
  // The client's clock is nine minutes ahead, so by it the grant ends nine minutes early.
  const { client } = buyer(clock, { now: () => clock.now + 540 })
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 2900
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
})

test("a failed settlement ends the grant with a typed error and no payment", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  for (const grant of seller.grants) grant.state = "failed"
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "refresh_refused",
    action: "stop",
    reason: "settlement_failed",
  })
  expect(await client.grants()).toEqual([])
  expect(seller.transfers).toHaveLength(1)
})

test("a 402 answered to a refresh is not paid in that call", async () => {
  const { client, seller, clock } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 400
  seller.script("POST /token", (_request, response) => json(response, 402, seller.challenge("x", "read")))
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({ code: "refresh_refused" })
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-16: a repeated 401 is refreshed once, keeps the grant and never pays again", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  const refused: Parameters<typeof seller.always>[1] = (_request, response) =>
    json(response, 401, { error: "invalid_token" })
  seller.always("GET /movies/7", refused)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(401)
  expect(seller.requestsTo("POST /token").filter(isRefresh)).toHaveLength(1)
  expect(seller.transfers).toHaveLength(1)
  expect(await client.grants()).toHaveLength(1)
})

test("CLI-16: a 401 is resolved by a refresh", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  seller.script("GET /movies/7", (_request, response) => json(response, 401, { error: "invalid_token" }))
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-16: a 401 without a grant is returned unchanged", async () => {
  const { client, seller } = await setup()
  seller.always("GET /movies/7", (_request, response) =>
    json(response, 401, seller.challenge("token_missing", "read")),
  )
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(401)
  expect(seller.requests).toHaveLength(1)
})

test("a missing scope is served by another grant before a purchase", async () => {
  const { client, seller } = await setup()
  const write = { ...hour, ref: "write@00000001", scope: "write", amount: "20000" }
  seller.offers = [hour, write]
  await client.fetch(`${seller.url}/movies/7`)
  expect((await client.fetch(`${seller.url}/write`, { method: "POST", body: "a" })).status).toBe(200)
  expect(seller.transfers.map((transfer) => transfer.value)).toEqual([10_000n, 20_000n])
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect((await client.fetch(`${seller.url}/write`, { method: "POST", body: "b" })).status).toBe(200)
  expect(seller.transfers).toHaveLength(2)
  expect(seller.requestsTo("POST /token").filter(isRefresh)).toHaveLength(0)
  expect(seller.handled.filter((r) => r.method === "POST").map((r) => r.body)).toEqual(["a", "b"])
  expect((await client.grants()).map((grant) => grant.scope).sort()).toEqual(["read", "write"])
})

test("a call whose connection is cut is not repeated by the client", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  seller.always("GET /movies/8", cutConnection)
  await expect(client.fetch(`${seller.url}/movies/8`)).rejects.toThrow(TypeError)
  expect(seller.requestsTo("GET /movies/8").length).toBeLessThanOrEqual(1)
})
