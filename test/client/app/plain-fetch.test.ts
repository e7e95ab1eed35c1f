import { afterEach, expect, test } from "vitest"
import { createVerifier, installFetch } from "../../../client/index.ts"
import { buyer, failure, origin, setup, startedAt } from "../../support/client-setup.ts"
import { json, redirect } from "../../support/fake-origin.ts"

const native = globalThis.fetch
afterEach(() => {
  globalThis.fetch = native
})

test("the global fetch pays while a client is installed, not before or after", async () => {
  const { client, seller } = await setup()
  const url = `${seller.url}/movies/7`
  expect((await fetch(url)).status).toBe(402)
  const restore = installFetch(client)
  expect(
    (await Promise.all([fetch(url), fetch(new URL(url)), fetch(new Request(url))])).map((r) => r.status),
  ).toEqual([200, 200, 200])
  expect(seller.transfers).toHaveLength(1)
  restore()
  restore()
  expect(globalThis.fetch).toBe(native)
  expect((await fetch(url)).status).toBe(402)
})

test("only listed origins go through the client; others are left unchanged", async () => {
  const clock = { now: startedAt }
  const [a, b] = await Promise.all([origin(clock), origin(clock)])
  const { client } = buyer(clock)
  const restore = installFetch(client, { origins: [a.url] })
  b.always("GET /away", redirect(`${a.url}/free`))
  a.always("GET /free", (_request, response) => json(response, 200, {}))
  a.always("GET /away", redirect(`${b.url}/movies/7`))
  expect((await fetch(`${b.url}/movies/7`)).status).toBe(402)
  expect((await fetch(`${b.url}/away`)).status).toBe(200)
  expect((await fetch(`${a.url}/movies/7`)).status).toBe(200)
  expect((await failure(fetch(`${a.url}/away`))).code).toBe("redirect_origin")
  await expect(fetch("no url")).rejects.toThrow(TypeError)
  expect([a.transfers.length, b.transfers.length]).toEqual([1, 0])
  restore()
  for (const wrong of ["api.example.com", "https://api.example.com/v1", "https://api.example.com/"])
    expect(() => installFetch(client, { origins: [wrong] })).toThrow(/option origins/)
  expect(globalThis.fetch).toBe(native)
})

test("CLI-02: a client's own requests never go through an installed client", async () => {
  const { client, seller, clock } = await setup()
  const restore = installFetch(client)
  const later = buyer(clock)
  // Another library that wraps the global fetch.
  const wrapped = globalThis.fetch
  globalThis.fetch = (input, init) => wrapped(input, init)
  seller.always("POST /token", (_request, response) =>
    json(response, 402, seller.challenge("token_missing", "read")),
  )
  expect((await failure(later.client.fetch(`${seller.url}/movies/7`))).code).toBe("asked_to_pay_again")
  expect(seller.requestsTo("POST /token")).toHaveLength(1)
  expect(seller.requestsTo("POST /token")[0]?.headers["payment-signature"]).toBeDefined()
  seller.always("POST /token", seller.router)
  expect((await fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
  restore()
  expect((await fetch(`${seller.url}/movies/7`)).status).toBe(402)
})

test("a verifier that reads the price buys nothing", async () => {
  const { client, seller } = await setup()
  const restore = installFetch(client)
  const verifier = createVerifier({ issuer: seller.url })
  await verifier.check(undefined, "read")
  verifier.close()
  restore()
  expect(seller.transfers).toEqual([])
})

test("two installed clients can be uninstalled in either order", async () => {
  const clock = { now: startedAt }
  const [a, b] = await Promise.all([origin(clock), origin(clock)])
  const [first, second] = [buyer(clock), buyer(clock)]
  const restoreFirst = installFetch(first.client, { origins: [a.url] })
  const restoreSecond = installFetch(second.client, { origins: [b.url] })
  for (const { url } of [a, b]) expect((await fetch(`${url}/movies/7`)).status).toBe(200)
  expect(a.transfers[0]?.payer).toBe(first.account.address.toLowerCase())
  expect(b.transfers[0]?.payer).toBe(second.account.address.toLowerCase())
  restoreFirst()
  expect((await fetch(`${a.url}/movies/7`)).status).toBe(402)
  expect((await fetch(`${b.url}/movies/7`)).status).toBe(200)
  restoreSecond()
  expect((await fetch(`${b.url}/movies/7`)).status).toBe(402)
})
