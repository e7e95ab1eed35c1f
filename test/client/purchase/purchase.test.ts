import { expect, test } from "vitest"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { openingOf } from "../../../shared/x402/commitment.ts"
import { buyer, failure, setup, startedAt } from "../../support/client-setup.ts"
import { cutConnection, hour, json, redirect, refuse } from "../../support/fake-origin.ts"

test("a 402 leads to one payment, and its token serves the next calls", async () => {
  const { client, seller, events } = await setup()
  const response = await client.fetch(`${seller.url}/movies/7`)
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ path: "/movies/7" })
  expect((await client.fetch(`${seller.url}/movies/8`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
  expect(seller.requests.map((r) => `${r.method} ${r.path}`)).toEqual([
    "GET /movies/7",
    "POST /token",
    "GET /movies/7",
    "GET /movies/8",
  ])
  expect(seller.transfers[0]).toMatchObject({
    value: 10_000n,
    validAfter: 0n,
    validBefore: BigInt(startedAt + 600),
  })
  expect(events.map((event) => event.type)).toEqual(["purchase_started", "purchased"])
  expect(events[0]).toMatchObject({ amount: "0.01", asset: "USDC", network: sepolia.id, scope: "read" })
  expect(await client.spent()).toEqual({ day: "0.01", left: "0.99", total: "0.01" })
  expect(await client.grants()).toEqual([
    {
      id: seller.grants[0]?.id,
      origin: seller.url,
      resource: `${seller.url}/`,
      scope: "read",
      network: sepolia.id,
      expiresAt: startedAt + 3600,
      callsRemaining: null,
      settlement: "pending",
    },
  ])
})

test("the purchase sends its nonce's opening and never the secret", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  const [purchase] = seller.requestsTo("POST /token")
  expect(purchase?.headers["ticket402-commitment"]).toMatch(/^[0-9a-f]{64}$/)
  expect(purchase?.headers["ticket402-secret"]).toBeUndefined()
  expect([...new URLSearchParams(purchase?.body)]).toEqual([["resource", seller.url]])
})

test("a challenge in the body only is read", async () => {
  const { client, seller } = await setup()
  seller.script("GET /movies/7", (_request, response) =>
    json(response, 402, seller.challenge("token_missing", "read")),
  )
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-13: 20 parallel calls make one payment and get 20 answers", async () => {
  const { client, seller } = await setup()
  const calls = Array.from({ length: 20 }, (_, i) => client.fetch(`${seller.url}/movies/${i}`))
  const answers = await Promise.all(calls)
  expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(200))
  expect(seller.transfers).toHaveLength(1)
  expect(seller.requestsTo("POST /token")).toHaveLength(1)
})

test("CLI-14: a lost answer resends the same payment, now with its secret", async () => {
  const { client, seller, events } = await setup()
  // Redeemed, and then the connection is cut, so that the answer is lost.
  seller.script("POST /token", async (request, response, socket) => {
    response.end = (() => socket.destroy()) as never
    await seller.router(request, response)
  })
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  const [first, second] = seller.requestsTo("POST /token")
  expect(second?.headers["payment-signature"]).toBe(first?.headers["payment-signature"])
  expect(first?.headers["ticket402-secret"]).toBeUndefined()
  expect(openingOf(`0x${second?.headers["ticket402-secret"]}`)).toBe(
    `0x${first?.headers["ticket402-commitment"]}`,
  )
  expect(seller.transfers).toHaveLength(1)
  expect(seller.grants).toHaveLength(1)
  expect(events).toContainEqual({ type: "resent", origin: seller.url, what: "purchase", attempt: 2 })
})

const pendingAnswer = {
  status_url: "/token/status",
  settlement: { state: "pending" },
  next: { action: "retry", retryAfterSeconds: 5 },
}

test.each([
  ["429 with Retry-After", refuse("queue_full", { "retry-after": "7" }), 7],
  ["503", refuse("store_unavailable"), 1],
  ["an empty 500", ((_q, r) => void r.writeHead(500).end("oops")) as ReturnType<typeof refuse>, 0.1],
  ["202", ((_q, r) => json(r, 202, pendingAnswer, { "retry-after": "7" })) as typeof cutConnection, 7],
  ["a cut connection", cutConnection, 0.1],
])("CLI-14: the same payment is sent again after %s", async (_name, trouble, wait) => {
  const { client, seller, delays } = await setup()
  seller.script("POST /token", trouble, trouble)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.requestsTo("POST /token")).toHaveLength(3)
  expect(new Set(seller.requestsTo("POST /token").map((r) => r.headers["payment-signature"])).size).toBe(1)
  expect(delays).toHaveLength(2)
  for (const delay of delays) expect(delay).toBeGreaterThanOrEqual(wait)
})

test("CLI-14, IDM-02: an unanswered payment is kept and resent by the next call", async () => {
  const { client, seller, clock } = await setup()
  seller.always("POST /token", cutConnection)
  const error = await failure(client.fetch(`${seller.url}/movies/7`))
  expect(error).toMatchObject({ code: "outcome_unknown", action: "retry" })
  expect(clock.now - startedAt).toBeLessThanOrEqual(60)
  const sent = seller.requestsTo("POST /token").length
  expect(sent).toBeGreaterThan(2)
  // Still unavailable: the second call sends the same payment and signs none.
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("outcome_unknown")
  seller.always("POST /token", seller.router)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(new Set(seller.requestsTo("POST /token").map((r) => r.headers["payment-signature"])).size).toBe(1)
  expect(
    seller
      .requestsTo("POST /token")
      .slice(1)
      .every((r) => r.headers["ticket402-secret"]),
  ).toBe(true)
  expect((await client.spent()).day).toBe("0.01")
})

test("CLI-14: a new payment is signed once the old one expired unknown to the seller", async () => {
  const { client, seller, clock } = await setup()
  seller.always("POST /token", cutConnection)
  await failure(client.fetch(`${seller.url}/movies/7`))
  clock.now = startedAt + 700
  seller.always("POST /token", seller.router)
  seller.script("POST /token", refuse("validity_too_short"))
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.requestsTo("POST /token").at(-1)?.headers["ticket402-secret"]).toBeUndefined()
  expect((await client.spent()).day).toBe("0.02")
})

test("CLI-14: an expired payment that the seller redeemed still yields its grant", async () => {
  const { client, seller, clock } = await setup()
  seller.always("POST /token", async (request, response, socket) => {
    response.end = (() => socket.destroy()) as never
    await seller.router(request, response)
  })
  await failure(client.fetch(`${seller.url}/movies/7`))
  clock.now = startedAt + 700
  seller.always("POST /token", seller.router)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-14: a refusal after a lost answer leads to no new signature", async () => {
  const { client, seller } = await setup()
  seller.script("POST /token", cutConnection, refuse("offer_expired"), refuse("offer_expired"))
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "outcome_unknown",
    reason: "offer_expired",
  })
  await failure(client.fetch(`${seller.url}/movies/7`))
  const sent = seller.requestsTo("POST /token").map((r) => r.headers["payment-signature"])
  expect(sent).toHaveLength(3)
  expect(new Set(sent).size).toBe(1)
})

test.each([
  ["409", refuse("authorization_conflict")],
  ["a redirect", redirect("/x", 307)],
])("CLI-14: after %s a refusal of the same payment leads to no new signature", async (_name, firstAnswer) => {
  const { client, seller } = await setup()
  seller.script("POST /token", firstAnswer, refuse("offer_expired"))
  await failure(client.fetch(`${seller.url}/movies/7`))
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("outcome_unknown")
  expect(new Set(seller.requestsTo("POST /token").map((r) => r.headers["payment-signature"])).size).toBe(1)
})

const empty =
  (status: number): typeof cutConnection =>
  (_request, response) =>
    void response.writeHead(status).end()

test.each([
  ["an empty 500", empty(500)],
  ["an empty 503, as from a proxy", empty(503)],
  ["an internal error", refuse("internal")],
])("CLI-14: after %s a refusal leads to no new signature", async (_name, trouble) => {
  const { client, seller } = await setup()
  seller.script("POST /token", trouble, refuse("offer_expired"))
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("outcome_unknown")
})

test("CLI-14 control: after the service's own 503 a refusal leads to a new purchase", async () => {
  const { client, seller } = await setup()
  seller.script("POST /token", refuse("store_unavailable"), refuse("offer_expired"))
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})

test("CLI-14: no other offer of a resource is signed while a payment is unanswered", async () => {
  const { account } = buyer({ now: startedAt })
  let signatures = 0
  let readBoth = (): void => {}
  const both = new Promise<void>((resolve) => {
    readBoth = resolve
  })
  const slow = {
    address: account.address,
    async signTypedData(data: Parameters<typeof account.signTypedData>[0]) {
      signatures++
      // The other call has read its 402 and has had two round trips to act on it.
      await both
      for (const path of ["/free", "/free"]) await fetch(`${seller.url}${path}`)
      return account.signTypedData(data)
    },
  }
  const { client, seller } = await setup({ account: slow as never })
  seller.offers = [hour, { ...hour, ref: "write@00000001", scope: "write" }]
  seller.always("POST /token", cutConnection)
  seller.always("GET /free", (_request, response) => json(response, 200, {}))
  const first = failure(client.fetch(`${seller.url}/movies/7`))
  const second = failure(client.fetch(`${seller.url}/write`))
  seller.script("GET /write", (request, response) => {
    response.on("finish", readBoth)
    seller.gate(request, response)
  })
  expect([(await first).code, (await second).code]).toEqual(["outcome_unknown", "outcome_unknown"])
  expect(signatures).toBe(1)
  expect(new Set(seller.requestsTo("POST /token").map((r) => r.headers["payment-signature"])).size).toBe(1)
})

test("CLI-14: a payment is not resent shortly before it expires", async () => {
  const { client, seller, clock } = await setup()
  seller.changeEntry = (entry) => ({ ...entry, maxTimeoutSeconds: 20 })
  seller.always("POST /token", cutConnection)
  await failure(client.fetch(`${seller.url}/movies/7`))
  expect(clock.now).toBeLessThan(startedAt + 15)
})

test("an aborted caller stops waiting while the payment continues to its answer", async () => {
  const { client, seller } = await setup()
  const control = new AbortController()
  const other = new Promise<void>((resolve) => {
    seller.script("POST /token", async (request, response) => {
      control.abort(new Error("enough"))
      await call
      await seller.router(request, response)
      resolve()
    })
  })
  const call = client.fetch(`${seller.url}/movies/7`, { signal: control.signal }).then(
    () => "answered",
    (error: Error) => error.message,
  )
  expect(await call).toBe("enough")
  await other
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
})

test("after 400 fix the offers are read again and one new signature is made", async () => {
  const { client, seller } = await setup()
  seller.script("POST /token", (_request, response) => {
    seller.offers = [{ ...hour, ref: "hour@00000002", amount: "20000" }]
    return refuse("offer_unknown")(_request, response, null as never)
  })
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.requestsTo("POST /token")).toHaveLength(2)
  expect(seller.grants).toHaveLength(1)
  // Both payments count while the first could still be settled.
  expect((await client.spent()).day).toBe("0.03")
})

test("a seller that always answers fix gets two signatures per call", async () => {
  const { client, seller } = await setup()
  seller.always("POST /token", refuse("not_yet_valid"))
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "purchase_refused",
    reason: "not_yet_valid",
    action: "fix",
  })
  expect(seller.requestsTo("POST /token")).toHaveLength(2)
})

test("CLI-02: 20 parallel calls share a refusal and sign at most twice", async () => {
  const { client, seller } = await setup()
  seller.always("POST /token", refuse("not_yet_valid"))
  const calls = Array.from({ length: 20 }, (_, i) => failure(client.fetch(`${seller.url}/movies/${i}`)))
  expect((await Promise.all(calls)).map((error) => error.code)).toEqual(Array(20).fill("purchase_refused"))
  expect(seller.requestsTo("POST /token")).toHaveLength(2)
})

test("CLI-02: a call that reads its 402 after a shared failure signs nothing", async () => {
  const { client, seller } = await setup()
  seller.always("POST /token", refuse("not_yet_valid"))
  let release = (): void => {}
  const failed = new Promise<void>((resolve) => {
    release = resolve
  })
  const late = new Promise<void>((resolve) => {
    seller.script("GET /late", async (request, response) => {
      resolve()
      await failed
      seller.gate(request, response)
    })
  })
  const second = failure(client.fetch(`${seller.url}/late`))
  await late
  const first = await failure(client.fetch(`${seller.url}/movies/7`))
  release()
  expect(await second).toBe(first)
  expect(seller.requestsTo("POST /token")).toHaveLength(2)
  // Control: a later call starts a new purchase.
  await failure(client.fetch(`${seller.url}/movies/7`))
  expect(seller.requestsTo("POST /token")).toHaveLength(4)
})

test.each([
  ["400 stop", refuse("insufficient_funds"), "purchase_refused"],
  [
    "403",
    ((_q, r) => json(r, 403, { error: "access_denied", next: { action: "stop" } })) as typeof cutConnection,
    "purchase_refused",
  ],
  ["409", refuse("authorization_conflict"), "payment_conflict"],
  ["402", ((_q, r) => json(r, 402, { x402Version: 2 })) as typeof cutConnection, "asked_to_pay_again"],
  ["a redirect", redirect("/elsewhere", 307), "answer_redirected"],
  [
    "200 without a token",
    ((_q, r) => json(r, 200, { ok: true })) as typeof cutConnection,
    "answer_malformed",
  ],
  [
    "200 of 50 MB",
    ((_q, r) => void r.writeHead(200).end(Buffer.alloc(50_000_000, 32))) as typeof cutConnection,
    "answer_malformed",
  ],
])("CLI-02: no second payment is signed after %s from the token endpoint", async (_name, handler, code) => {
  const { client, seller } = await setup()
  seller.always("POST /token", handler)
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe(code)
  expect(seller.requestsTo("POST /token")).toHaveLength(1)
  expect(seller.requestsTo("GET /movies/7")).toHaveLength(1)
  expect(seller.requestsTo("POST /elsewhere")).toHaveLength(0)
})

test("CLI-02: a gate that answers 402 to the bought token is not paid twice", async () => {
  const { client, seller } = await setup()
  seller.always("GET /movies/7", (request, response) => seller.gate({ ...request, headers: {} }, response))
  const response = await client.fetch(`${seller.url}/movies/7`)
  expect(response.status).toBe(402)
  expect(await response.json()).toMatchObject({ x402Version: 2 })
  expect(seller.requestsTo("POST /token")).toHaveLength(1)
})

test("CLI-02: a gate that finds every scope insufficient is paid once", async () => {
  const { client, seller } = await setup()
  seller.always("GET /movies/7", (_request, response) =>
    json(response, 402, seller.challenge("insufficient_scope", "read")),
  )
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(402)
  expect(seller.requestsTo("POST /token")).toHaveLength(1)
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "paid_without_access",
    found: expect.stringContaining(seller.grants[0]!.id),
  })
  expect(seller.requestsTo("POST /token")).toHaveLength(1)
})

test("a token of another scope is refused and its payment kept", async () => {
  const { client, seller } = await setup()
  seller.script("POST /token", async (request, response) => {
    const end = response.end.bind(response)
    response.end = ((text: string) => end(text.replace('"scope":"read"', '"scope":"less"'))) as never
    await seller.router(request, response)
  })
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("answer_malformed")
  // The next call sends the same payment, proven by the secret.
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
})

test("an account that fails to sign costs nothing and sends nothing", async () => {
  const { client, seller, key } = await setup({
    account: {
      address: "0x857b06519E91e3A54538791bDbb0E22373e36b66",
      signTypedData: async () => {
        throw new Error("my key is 0xdeadbeef")
      },
    },
  })
  const error = await failure(client.fetch(`${seller.url}/movies/7`))
  expect(error.code).toBe("signing_failed")
  expect(`${error.message}${error.stack}${error.cause}`).not.toMatch(/deadbeef/)
  expect(key).toBeDefined()
  expect(seller.requestsTo("POST /token")).toHaveLength(0)
  expect((await client.spent()).day).toBe("0")
})

test("an account that signs for another address sends nothing", async () => {
  const clock = { now: startedAt }
  const { account } = buyer(clock)
  const { client, seller } = await setup({
    account: {
      address: "0x857b06519E91e3A54538791bDbb0E22373e36b66",
      signTypedData: (data) => account.signTypedData(data as never),
    },
  })
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "signing_failed",
    found: "signature_invalid",
  })
  expect(seller.requestsTo("POST /token")).toHaveLength(0)
})

test("SET-52: a delayed settlement is waited for, and never bought twice", async () => {
  const { client, seller } = await setup()
  const delays = Array.from({ length: 40 }, () => refuse("settlement_delayed"))
  seller.script("POST /token", ...delays)
  const url = `${seller.url}/movies/7`
  expect(await failure(client.fetch(url))).toMatchObject({ code: "settlement_pending", action: "retry" })
  const [first, ...others] = seller
    .requestsTo("POST /token")
    .map(({ headers }) => headers["payment-signature"])
  expect(new Set(others)).toEqual(new Set([first]))
})
