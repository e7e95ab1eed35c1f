import { expect, test } from "vitest"
import { compareGrants } from "../../../client/core/grant-rules.ts"
import { setup } from "../../support/client-setup.ts"
import { hour } from "../../support/fake-origin.ts"

const grant = (scope: string, expiresAt: number, callsRemaining: number | null) => ({
  resource: "https://api.example/",
  scope,
  expiresAt,
  tokenExpiresAt: 0,
  callsRemaining,
})

test("prefers time passes, then the narrowest scope, then the earliest end", () => {
  const wide = grant("read write", 50, null)
  const late = grant("read", 200, null)
  const soon = grant("read", 100, null)
  const counted = grant("read", 10, 5)
  const used = grant("read", 10, 0)
  expect([used, counted, wide, late, soon].sort(compareGrants)).toEqual([soon, late, wide, counted, used])
})

test("counted calls are not spent while a time pass covers the route", async () => {
  const { client, seller } = await setup()
  seller.script("POST /token", async (request, response) => {
    const end = response.end.bind(response)
    response.end = ((text: string) =>
      end(text.replace('"calls_remaining":null', '"calls_remaining":5'))) as never
    await seller.router(request, response)
  })
  await client.fetch(`${seller.url}/movies/7`)
  seller.offers = [{ ...hour, ref: "pass@00000001", scope: "read write" }]
  await client.fetch(`${seller.url}/write`)
  const pass = seller.requests.at(-1)!.headers.authorization
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.requests.at(-1)!.headers.authorization).toBe(pass)
  expect(seller.transfers).toHaveLength(2)
})

test("a route that wanted another grant does not get the wrong one first again", async () => {
  const { client, seller } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  seller.offers = [{ ...hour, ref: "write@00000001", scope: "write", durationSeconds: 7_200 }]
  await client.fetch(`${seller.url}/write`)
  const before = seller.requests.length
  expect((await client.fetch(`${seller.url}/write`)).status).toBe(200)
  expect(seller.requests.length - before).toBe(1)
})
