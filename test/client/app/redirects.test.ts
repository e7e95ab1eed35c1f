import { expect, test } from "vitest"
import { buyer, failure, origin, setup, startedAt } from "../../support/client-setup.ts"
import { json, type Recorded, redirect } from "../../support/fake-origin.ts"

const secrets = ["authorization", "payment-signature", "ticket402-commitment", "ticket402-secret"]
const shown = (requests: readonly Recorded[]) =>
  requests.flatMap((request) => secrets.filter((name) => request.headers[name] !== undefined))

async function setupThree() {
  const clock = { now: startedAt }
  const [a, b, c] = await Promise.all([origin(clock), origin(clock), origin(clock)])
  return { clock, a, b, c, ...buyer(clock) }
}

test.each([301, 302, 303, 307, 308])(
  "CLI-04: a %i to another origin is refused, so no token or payment gets there",
  async (status) => {
    const { client, a, b, c } = await setupThree()
    expect((await client.fetch(`${a.url}/movies/7`)).status).toBe(200)
    a.always("POST /away", redirect(`${b.url}/movies/7`, status))
    a.always("GET /twice", redirect("/thrice", status))
    a.always("GET /thrice", redirect(`${c.url}/movies/7`, status))
    const post = client.fetch(`${a.url}/away`, { method: "POST", body: "mine" })
    expect(await failure(post)).toMatchObject({ code: "redirect_origin", found: b.url, wanted: a.url })
    expect((await failure(client.fetch(`${a.url}/twice`))).code).toBe("redirect_origin")
    expect([...b.requests, ...c.requests]).toEqual([])
  },
)

test("CLI-04: a payment is not redirected, and no other origin sees it", async () => {
  const { client, a, b, c } = await setupThree()
  a.always("POST /token", redirect(`${b.url}/token`, 307))
  expect((await failure(client.fetch(`${a.url}/movies/7`))).code).toBe("answer_redirected")
  expect(shown([...b.requests, ...c.requests])).toEqual([])
  expect(b.requests).toEqual([])
})

test("CLI-04: a refresh token is not redirected", async () => {
  const { client, clock, a, b } = await setupThree()
  await client.fetch(`${a.url}/movies/7`)
  clock.now += 400
  a.always("POST /token", redirect(`${b.url}/token`, 308))
  expect((await failure(client.fetch(`${a.url}/movies/7`))).code).toBe("refresh_refused")
  expect(b.requests).toEqual([])
})

test("CLI-04: the caller's redirect mode is respected", async () => {
  const { client, seller } = await setup()
  seller.always("GET /old", redirect("https://elsewhere.example/"))
  const answered = await client.fetch(`${seller.url}/old`, { redirect: "manual" })
  expect([answered.status, answered.headers.get("location")]).toEqual([302, "https://elsewhere.example/"])
  expect((await failure(client.fetch(`${seller.url}/old`, { redirect: "error" }))).code).toBe(
    "redirect_refused",
  )
})

test("CLI-04 control: three redirects within the origin are followed with the token", async () => {
  const { client, seller } = await setup()
  seller.always("GET /1", redirect("/2"))
  seller.always("GET /2", redirect("/3", 307))
  seller.always("GET /3", redirect(`${seller.url}/movies/7`, 308))
  seller.always("GET /0", redirect("/1"))
  expect((await client.fetch(`${seller.url}/1`)).status).toBe(200)
  expect(seller.handled.map((r) => r.path)).toEqual(["/movies/7"])
  expect(seller.transfers).toHaveLength(1)
  expect((await failure(client.fetch(`${seller.url}/0`))).code).toBe("redirect_limit")
})

test.each([
  [301, "POST", "GET", ""],
  [302, "POST", "GET", ""],
  [303, "PUT", "GET", ""],
  [302, "PUT", "PUT", "data"],
  [307, "POST", "POST", "data"],
  [308, "POST", "POST", "data"],
])("a %i answered to %s is followed as %s", async (status, method, then, body) => {
  const { client, seller } = await setup()
  seller.always(`${method} /old`, redirect("/movies/new", status))
  expect((await client.fetch(`${seller.url}/old`, { method, body: "data" })).status).toBe(200)
  expect(seller.handled).toMatchObject([{ method: then, body }])
  expect(seller.handled[0]?.headers["content-type"] === undefined).toBe(then === "GET")
})

test("CLI-17: a POST redirected to a priced page is not repeated", async () => {
  const { client, seller } = await setup()
  seller.always("POST /order", redirect("/movies/7", 303))
  expect((await client.fetch(`${seller.url}/order`, { method: "POST", body: "one" })).status).toBe(200)
  expect(seller.requestsTo("POST /order")).toHaveLength(1)
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-06: a 402 from another origin than the one requested is not paid", async () => {
  const clock = { now: startedAt }
  const [a, b] = await Promise.all([origin(clock), origin(clock)])
  a.always("GET /movies/7", redirect(`${b.url}/movies/7`))
  // A fetch that always follows redirects.
  const alwaysFollowing = ((input, init) =>
    globalThis.fetch(input, { ...init, redirect: "follow" })) as typeof fetch
  const { client } = buyer(clock, { fetch: alwaysFollowing })
  expect(await failure(client.fetch(`${a.url}/movies/7`))).toMatchObject({
    code: "foreign_challenge",
    found: b.url,
  })
  expect([...a.transfers, ...b.transfers]).toEqual([])
  expect(shown(b.requests)).toEqual([])
})

test("CLI-06: a 402 with another origin as its resource is not paid", async () => {
  const { client, a, b } = await setupThree()
  a.resource = b.url
  expect((await failure(client.fetch(`${a.url}/movies/7`))).code).toBe("resource_foreign")
  expect(a.requestsTo("POST /token")).toEqual([])
  expect(b.requests).toEqual([])
})

test.each([
  (evil: string) => `${evil}/token`,
  (evil: string) => evil.replace("http:", ""),
  (evil: string) => evil.replace("http:", "").replaceAll("/", "\\"),
  (evil: string) => `/\\${evil.slice(7)}/token`,
  (evil: string) => `http://127.0.0.1:1@${evil.slice(7)}/token`,
  () => "https://evil.example/token",
  () => "http://evil.example/token",
  () => "javascript:alert(1)",
  () => "http://",
  () => "",
])("CLI-05: token endpoint %# on another origin receives nothing", async (spell) => {
  const { client, a, b } = await setupThree()
  a.tokenEndpoint = spell(b.url)
  expect((await failure(client.fetch(`${a.url}/movies/7`))).code).toBe("token_endpoint_foreign")
  expect(a.requestsTo("POST /token")).toEqual([])
  expect(b.requests).toEqual([])
})

test.each(["@evil.example/token", ".evil.example/token", "/a/../token", "token"])(
  "CLI-05: token endpoint %s stays a path of the 402's origin",
  async (spelling) => {
    const { client, seller } = await setup()
    seller.tokenEndpoint = spelling
    seller.always(`POST ${new URL(spelling, `${seller.url}/movies/7`).pathname}`, seller.router)
    seller.always("POST /token", seller.router)
    expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  },
)

test("CLI-05 control: a listed token endpoint is paid", async () => {
  const clock = { now: startedAt }
  const [a, b] = await Promise.all([origin(clock), origin(clock)])
  const { client } = buyer(clock, { tokenEndpoints: [`${b.url}/token`] })
  a.tokenEndpoint = `${b.url}/token`
  b.resource = a.url
  a.always("GET /movies/7", (request, response) =>
    request.headers.authorization ? json(response, 200, {}) : a.gate(request, response),
  )
  expect((await client.fetch(`${a.url}/movies/7`)).status).toBe(200)
  expect(b.transfers).toHaveLength(1)
  // The exact URL is listed and no other of that origin.
  a.tokenEndpoint = `${b.url}/token2`
  const other = buyer(clock, { tokenEndpoints: [`${b.url}/token`] })
  expect((await failure(other.client.fetch(`${a.url}/movies/8`))).code).toBe("token_endpoint_foreign")
})

test("CLI-12: a token is sent to its origin and path only, not to a port or sibling", async () => {
  const { client, a, b } = await setupThree()
  a.resource = `${a.url}/tenant1`
  expect((await client.fetch(`${a.url}/tenant1/movies`)).status).toBe(200)
  await client.fetch(`${b.url}/movies/7`, { method: "HEAD" })
  a.always("GET /tenant2/movies", (_request, response) => json(response, 200, {}))
  a.always("GET /tenant10", (_request, response) => json(response, 200, {}))
  await client.fetch(`${a.url}/tenant2/movies`)
  a.always("GET /tenant1/away", redirect("/tenant2/movies"))
  await client.fetch(`${a.url}/tenant1/away`)
  await client.fetch(`${a.url}/tenant10`)
  await client.fetch(a.url.replace("127.0.0.1", "localhost")).catch(() => {})
  expect(a.requests.filter((r) => r.headers.authorization).map((r) => r.path)).toEqual([
    "/tenant1/movies",
    "/tenant1/away",
  ])
  expect(b.requests[0]?.headers.authorization).toBeUndefined()
  // A sibling cannot sell tokens for another path.
  expect((await failure(client.fetch(`${a.url}/tenant3/movies`))).code).toBe("resource_foreign")
})
