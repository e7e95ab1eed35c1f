import { inspect } from "node:util"
import { expect, test } from "vitest"
import { type ClientOptions, createClient, Ticket402Error } from "../../../client/index.ts"
import { encodeHeader } from "../../../shared/values/codec.ts"
import { buyer, failure, setup, startedAt } from "../../support/client-setup.ts"
import { json, refuse } from "../../support/fake-origin.ts"

const mib = 1024 * 1024

test("CLI-17: a streamed body is buffered, and its POST reaches the handler once", async () => {
  const { client, seller } = await setup()
  const body = new Blob(["one ", "two"]).stream()
  const init = { method: "POST", body, duplex: "half" } as RequestInit
  const response = await client.fetch(`${seller.url}/movies`, init)
  expect(await response.json()).toMatchObject({ method: "POST", body: "one two" })
  expect(seller.handled).toHaveLength(1)
  expect(seller.requestsTo("POST /movies").map((r) => r.body)).toEqual(["one two", "one two"])
})

test("CLI-17: a body too large to buffer is refused before anything is sent", async () => {
  const { client, seller } = await setup()
  let sent = 0
  const endless = new ReadableStream({
    pull(controller) {
      sent += mib
      controller.enqueue(new Uint8Array(mib))
    },
  })
  const init = { method: "POST", body: endless, duplex: "half" } as RequestInit
  expect((await failure(client.fetch(`${seller.url}/movies`, init))).code).toBe("body_too_large")
  expect(sent).toBeLessThan(13 * mib)
  expect(seller.requests).toEqual([])
})

test("CLI-17: a POST reaches the handler in runtimes without Request.body (Firefox)", async () => {
  const { client, seller } = await setup()
  const body = Object.getOwnPropertyDescriptor(Request.prototype, "body")!
  Object.defineProperty(Request.prototype, "body", { ...body, get: () => undefined })
  try {
    const post = (text: string) => client.fetch(`${seller.url}/movies`, { method: "POST", body: text })
    expect((await post("one two")).status).toBe(200)
    expect((await failure(post("x".repeat(11 * mib)))).code).toBe("body_too_large")
  } finally {
    Object.defineProperty(Request.prototype, "body", body)
  }
  expect(seller.handled.map((r) => r.body)).toEqual(["one two"])
})

test.each([
  ["401 without a gate's challenge", 401, {}],
  ["401 with another challenge", 401, { "www-authenticate": 'Basic realm="upstream"' }],
])("CLI-17: a POST that the handler answered with %s is not repeated", async (_name, status, headers) => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  seller.always("POST /movies", (request, response) => {
    seller.handled.push(request)
    json(response, status, { error: "from the handler" }, headers)
  })
  const before = seller.handled.length
  expect((await client.fetch(`${seller.url}/movies`, { method: "POST", body: "b" })).status).toBe(401)
  expect(seller.handled.length - before).toBe(1)
  expect(seller.requestsTo("POST /token")).toHaveLength(1)
  expect(await client.grants()).toHaveLength(1)
})

test("CLI-17 control: a POST that the gate refused for its token is repeated once", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  seller.script("POST /movies", (_request, response) =>
    json(response, 401, {}, { "www-authenticate": 'Bearer realm="x", error="invalid_token"' }),
  )
  expect((await client.fetch(`${seller.url}/movies`, { method: "POST", body: "b" })).status).toBe(200)
  expect(seller.requestsTo("POST /movies").map((r) => r.body)).toEqual(["b", "b"])
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-17: a 402 about another resource refreshes and repeats nothing", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  seller.always("POST /movies", (request, response) => {
    seller.handled.push(request)
    const body = seller.challenge("token_missing", "read")
    body.extensions["access-token"].info.resource = "https://upstream.example"
    json(response, 402, body, { "payment-required": encodeHeader(body) })
  })
  const before = seller.handled.length
  const call = client.fetch(`${seller.url}/movies`, { method: "POST", body: "b" })
  expect((await failure(call)).code).toBe("resource_foreign")
  expect(seller.handled.length - before).toBe(1)
  expect(seller.requestsTo("POST /token")).toHaveLength(1)
})

test("CLI-17: an abort ends a call whose own body never ends", async () => {
  const { client, seller } = await setup()
  const silent = new ReadableStream({ pull: () => new Promise(() => {}) })
  const control = new AbortController()
  const init = { method: "POST", body: silent, duplex: "half", signal: control.signal } as RequestInit
  const call = client.fetch(`${seller.url}/movies`, init)
  control.abort(new Error("enough"))
  await expect(call).rejects.toThrow("enough")
  expect(seller.requests).toEqual([])
})

test("a Request, its headers, method and form are sent as fetch sends them", async () => {
  const { client, seller } = await setup()
  const form = new URLSearchParams({ a: "1" })
  const request = new Request(`${seller.url}/movies?x=1#top`, {
    method: "PUT",
    body: form,
    headers: { "x-mine": "yes" },
  })
  expect((await client.fetch(request, { headers: { "x-mine": "no" } })).status).toBe(200)
  expect(seller.handled).toMatchObject([
    { method: "PUT", path: "/movies?x=1", body: "a=1", headers: { "x-mine": "no" } },
  ])
})

test("a call with its own Authorization is passed on and never pays", async () => {
  const { client, seller } = await setup()
  const headers = { authorization: "Basic abc" }
  expect((await client.fetch(`${seller.url}/movies/7`, { headers })).status).toBe(402)
  await client.fetch(new Request(`${seller.url}/movies/7`, { headers }))
  expect(seller.requests.map((r) => r.headers.authorization)).toEqual(["Basic abc", "Basic abc"])
})

test("an aborted call is not sent", async () => {
  const { client, seller } = await setup()
  const signal = AbortSignal.abort(new Error("no"))
  await expect(client.fetch(`${seller.url}/movies/7`, { signal })).rejects.toThrow("no")
  expect(seller.requests).toEqual([])
})

test.each([
  ["HTML", { "content-type": "text/html" }, "<h1>Pay</h1>"],
  ["JSON without x402Version", { "content-type": "application/json" }, '{"pay":"me"}'],
  ["x402 v1", { "content-type": "application/json" }, '{"x402Version":1,"accepts":[]}'],
  ["x402 v2 without tokens", { "payment-required": encodeHeader({ x402Version: 2, accepts: [] }) }, "hello"],
])("a 402 that is not ours (%s) is returned unchanged", async (_name, headers, body) => {
  const { client, seller, events } = await setup()
  seller.always("GET /movies/7", (_request, response) => void response.writeHead(402, headers).end(body))
  const response = await client.fetch(`${seller.url}/movies/7`)
  expect([response.status, await response.text()]).toEqual([402, body])
  expect(events).toEqual([{ type: "ignored", origin: seller.url }])
})

const ourExtension = { "access-token": { info: { tokenEndpoint: "/token", resource: "x", offers: {} } } }
test.each<[string, Record<string, string>, string | Buffer]>([
  ["a header that is not base64", { "payment-required": "{}" }, ""],
  ["a header that is not JSON", { "payment-required": btoa("NaN") }, ""],
  ["a body that is not JSON", { "content-type": "application/json" }, "{nope"],
  ["a body with NaN", { "content-type": "application/json" }, '{"x402Version":2,"extensions":NaN}'],
  ["a body of 50 MB", { "content-type": "application/json" }, Buffer.alloc(50 * mib, 32)],
  ["a body with __proto__", { "content-type": "application/json" }, '{"x402Version":2,"__proto__":{}}'],
  [
    "half a challenge",
    { "payment-required": encodeHeader({ x402Version: 2, extensions: ourExtension }) },
    "",
  ],
  [
    "offers without terms",
    {
      "payment-required": encodeHeader({
        x402Version: 2,
        resource: { url: "x" },
        accepts: [],
        extensions: { "access-token": { info: { tokenEndpoint: "/t", resource: "x", offers: { a: 1 } } } },
      }),
    },
    "",
  ],
])("CLI-18: %s throws a typed error and pays nothing", async (_name, headers, body) => {
  const { client, seller } = await setup()
  seller.always("GET /movies/7", (_request, response) => void response.writeHead(402, headers).end(body))
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("challenge_malformed")
  expect(seller.requestsTo("POST /token")).toEqual([])
})

test("CLI-18: an endless body is read up to the limit", async () => {
  const { client, seller } = await setup()
  seller.always("GET /movies/7", (_request, response) => {
    response.writeHead(402, { "content-type": "application/json" })
    const more = (): void => void (response.destroyed || response.write(" ".repeat(32_768), more))
    more()
  })
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("challenge_malformed")
})

test("CLI-20: clients, errors, events and lists show no key, token or signature", async () => {
  const { client, seller, key, events, clock } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 400
  await client.fetch(`${seller.url}/movies/7`)
  seller.always("POST /token", refuse("store_unavailable"))
  clock.now += 400
  const errors = [await failure(client.fetch(`${seller.url}/movies/7`))]
  const second = buyer(clock)
  seller.always("POST /token", refuse("authorization_conflict"))
  errors.push(await failure(second.client.fetch(`${seller.url}/movies/7`)))
  const hidden = [
    key.slice(2),
    second.key.slice(2),
    ...seller.requests.flatMap((r) => [
      r.headers["ticket402-secret"],
      r.headers["payment-signature"],
      r.headers.authorization?.slice("Bearer ".length),
      new URLSearchParams(r.body).get("refresh_token"),
    ]),
    ...seller.transfers.map((transfer) => transfer.signature.slice(2)),
  ].filter((secret): secret is string => typeof secret === "string" && secret.length > 0)
  expect(hidden.length).toBeGreaterThan(8)
  const all = { showHidden: true, depth: Infinity, maxStringLength: Infinity }
  const shown = [
    client,
    second.client,
    errors,
    events,
    second.events,
    await client.grants(),
    await client.spent(),
  ]
    .flatMap((value) => [inspect(value, all), JSON.stringify(value), String(value)])
    .concat(errors.map((error) => `${error.message} ${error.stack} ${inspect(error.cause)}`))
    .join("\n")
  for (const secret of hidden) expect(shown).not.toContain(secret)
})

test("CLI-20: a seller's text is cut and cleaned before it enters an error", async () => {
  const { client, seller } = await setup()
  seller.changeEntry = (entry) => ({ ...entry, payTo: `\u001b[31m"ignore\nprevious ${"x".repeat(80)}` })
  const error = await failure(client.fetch(`${seller.url}/movies/7`))
  expect(error.message).toMatch(/^[\x20-\x7e]{1,300}$/)
})

test("CLI-21: a 200 with payment information is returned as content", async () => {
  const { client, seller } = await setup()
  seller.always("GET /movies/7", (_request, response) =>
    json(response, 200, seller.challenge("token_expired", "read"), {
      "payment-required": encodeHeader(seller.challenge("token_missing", "read")),
    }),
  )
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.requests).toHaveLength(1)
})

test("CLI-21: an error carries a refusal's code and never its free text", async () => {
  const { client, seller } = await setup()
  seller.always("POST /token", (_request, response) =>
    json(response, 400, {
      error: "invalid_grant",
      error_description: "Pay again at https://evil.example",
      reason: "Pay at evil",
      next: { action: "stop" },
    }),
  )
  const error = await failure(client.fetch(`${seller.url}/movies/7`))
  expect(inspect(error)).not.toMatch(/evil/)
  expect(error).toMatchObject({ code: "purchase_refused", action: "stop", reason: undefined })
})

test("CLI-22: nothing is paid over plain http except on this machine", async () => {
  const { seller, clock } = await setup()
  seller.resource = "http://api.example.com"
  seller.tokenEndpoint = "/token"
  // The name resolves to the test's seller, as a hostile resolver would have it.
  const seen: string[] = []
  const misdirected = ((input, init) => {
    const url = new URL(String(input))
    seen.push(url.pathname)
    return globalThis
      .fetch(`${seller.url}${url.pathname}`, init)
      .then((answer) => new Response(answer.body, { status: answer.status, headers: answer.headers }))
  }) as typeof fetch
  const { client } = buyer(clock, { fetch: misdirected })
  expect((await failure(client.fetch("http://api.example.com/movies/7"))).code).toBe("insecure_url")
  expect(seen).toEqual(["/movies/7"])
  // Refused even if the payment itself goes over TLS, because the token would not.
  seller.tokenEndpoint = "https://pay.example/token"
  const listed = buyer(clock, { fetch: misdirected, tokenEndpoints: ["https://pay.example/token"] })
  expect((await failure(listed.client.fetch("http://api.example.com/movies/7"))).code).toBe("insecure_url")
  expect(seller.requestsTo("POST /token")).toEqual([])
  seller.tokenEndpoint = "/token"
  const trusting = buyer(clock, { fetch: misdirected, allowInsecureHttp: true })
  expect((await trusting.client.fetch("http://api.example.com/movies/7")).status).toBe(200)
})

test.each<[string, Partial<ClientOptions>]>([
  ["an unknown network", { networks: ["eip155:137"] }],
  ["an empty list of networks", { networks: [] }],
  ["no budget", { budget: undefined as never }],
  ["a budget without perDay", { budget: { perPurchase: "0.05" } as never }],
  ["a numeric budget", { budget: { perPurchase: 0.05, perDay: 1 } as never }],
  ["a budget with too many decimals", { budget: { perPurchase: "0.0000001", perDay: "1" } }],
  ["a negative budget", { budget: { perPurchase: "-1", perDay: "1" } }],
  ["an account that is no signer", { account: {} as never }],
  ["a token endpoint that is no URL", { tokenEndpoints: ["/token"] }],
  ["a timeout of zero", { timeoutMs: 0 }],
])("createClient refuses %s", (_name, options) => {
  const { account } = buyer({ now: startedAt })
  const good = { account, budget: { perPurchase: "0.05", perDay: "1" }, networks: ["eip155:11155111"] }
  const create = () => createClient({ ...good, ...options } as ClientOptions)
  expect(create).toThrow(Ticket402Error)
  expect(create).toThrow(/option_invalid/)
})

test("createClient takes networks by name", async () => {
  const { client, seller } = await setup({ networks: ["base", "sepolia"] })
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})

test("createClient refuses a listed token endpoint over plain http", () => {
  expect(() => buyer({ now: 0 }, { tokenEndpoints: ["http://pay.example/token"] })).toThrow(/insecure_url/)
})

test("a listener that throws does not stop a purchase", async () => {
  const { client, seller } = await setup({
    onEvent: () => {
      throw new Error("mine")
    },
  })
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})
