import { describe, expect, test } from "vitest"
import { createMemoryStore } from "../../../client/index.ts"
import { decodeHeader, encodeHeader } from "../../../shared/values/codec.ts"
import { buyer, failure, setup } from "../../support/client-setup.ts"
import { cutConnection, json, redirect } from "../../support/fake-origin.ts"
import { createPlainGate } from "../../support/plain-gate.ts"

const base = { payPerCall: true, networks: ["eip155:84532"] }

async function setupRoute(version: 1 | 2, options: Parameters<typeof buyer>[1] = {}) {
  const setting = await setup({ ...base, ...options })
  const gate = createPlainGate(version)
  for (const method of ["GET", "POST"]) setting.seller.always(`${method} /movies/7`, gate.gate)
  return { ...setting, gate, film: `${setting.seller.url}/movies/7` }
}

describe.each([2, 1] as const)("a plain x402 v%i server", (version) => {
  test("is paid once per call within the budget", async () => {
    const { client, gate, film, account, events } = await setupRoute(version)
    for (let call = 0; call < 3; call++) {
      const response = await client.fetch(film)
      expect([response.status, await response.json()]).toEqual([200, { film: 7 }])
    }
    expect(gate.settled.map(({ payTo, value, payer }) => [payTo.slice(0, 6), value, payer])).toEqual(
      Array(3).fill(["0x2096", 10_000n, account.address.toLowerCase()]),
    )
    expect(new Set(gate.settled.map(({ nonce }) => nonce)).size).toBe(3)
    expect(await client.spent()).toMatchObject({ day: "0.03", total: "0.03" })
    expect(events.filter(({ type }) => type === "called")).toEqual(
      Array(3).fill({
        type: "called",
        origin: new URL(film).origin,
        status: 200,
        transaction: `0x${"12".repeat(32)}`,
      }),
    )
  })

  test("is not paid without payPerCall; its 402 is returned to the caller", async () => {
    const { client, gate, film, events } = await setupRoute(version, { payPerCall: false })
    const response = await client.fetch(film)
    expect([response.status, gate.paymentHeaders]).toEqual([402, []])
    if (version === 1) expect(await response.json()).toMatchObject({ x402Version: 1 })
    expect(events).toEqual([{ type: "ignored", origin: new URL(film).origin }])
  })

  test("IDM-02: gets the same payment again after a lost answer", async () => {
    const { client, gate, film, events } = await setupRoute(version)
    gate.script.push(cutConnection, cutConnection)
    expect((await client.fetch(film)).status).toBe(200)
    expect(gate.paymentHeaders).toHaveLength(3)
    expect(new Set(gate.paymentHeaders).size).toBe(1)
    expect(events.filter(({ type }) => type === "resent")).toMatchObject([{ what: "call" }, { what: "call" }])
    expect((await client.spent()).day).toBe("0.01")
  })

  test("CLI-14: gets an unanswered payment at each call until it expires", async () => {
    const { client, clock, gate, film } = await setupRoute(version)
    gate.script.push(...Array(200).fill(cutConnection))
    expect(await failure(client.fetch(film))).toMatchObject({ code: "outcome_unknown", action: "retry" })
    expect((await failure(client.fetch(film))).code).toBe("outcome_unknown")
    expect(new Set(gate.paymentHeaders).size).toBe(1)
    expect((await client.spent()).day).toBe("0.01")
    gate.script.length = 0
    clock.now += 60 + 61
    expect((await client.fetch(film)).status).toBe(200)
    expect(new Set(gate.paymentHeaders).size).toBe(2)
  })

  test("CLI-14: gets a payment left unanswered by another process", async () => {
    const store = createMemoryStore()
    const { client, clock, gate, film, account } = await setupRoute(version, { store, resendSeconds: 1 })
    gate.script.push(...Array(20).fill(cutConnection))
    await failure(client.fetch(film))
    gate.script.length = 0
    const second = buyer(clock, { ...base, store, account })
    expect((await second.client.fetch(film)).status).toBe(200)
    expect(new Set(gate.paymentHeaders).size).toBe(1)
    expect(gate.settled).toHaveLength(1)
  })

  test("CLI-17: gets a POST that may have reached its handler only from the caller", async () => {
    const { client, gate, film } = await setupRoute(version)
    gate.script.push(cutConnection)
    const order = { method: "POST", body: "one film" }
    expect((await failure(client.fetch(film, order))).code).toBe("outcome_unknown")
    expect(gate.paymentHeaders).toHaveLength(1)
    // The caller's repeated request carries the payment that is already signed.
    expect((await client.fetch(film, order)).status).toBe(200)
    expect(new Set(gate.paymentHeaders).size).toBe(1)
    expect(gate.handled.map(({ body }) => body)).toEqual(["one film"])
  })

  test("IDM-08: gets no second payment after a 402 in answer to the first", async () => {
    const { client, gate, film } = await setupRoute(version)
    // The call is sold once and its answer lost, so the resent payment is used already.
    gate.handler = cutConnection
    const error = await failure(client.fetch(film))
    expect(error).toMatchObject({ code: "asked_to_pay_again", action: "retry", reason: "nonce_already_used" })
    for (let call = 0; call < 3; call++)
      expect((await failure(client.fetch(film))).code).toBe("asked_to_pay_again")
    expect(new Set(gate.paymentHeaders).size).toBe(1)
    expect([gate.settled.length, (await client.spent()).day]).toEqual([1, "0.01"])
  })

  test("keeps an unsettled payment of an error answer for the next call", async () => {
    const { client, gate, film } = await setupRoute(version)
    gate.script.push((_request, response) => json(response, 500, {}))
    expect((await client.fetch(film)).status).toBe(500)
    expect((await client.fetch(film)).status).toBe(200)
    expect(new Set(gate.paymentHeaders).size).toBe(1)
  })

  test.each([200, 404])(
    "IDM-12: keeps a payment whose settlement failed for the next call: %i",
    async (status) => {
      const { client, gate, film } = await setupRoute(version)
      const settlement = {
        success: false,
        errorReason: "unexpected",
        transaction: "",
        network: "eip155:84532",
      }
      const header = version === 2 ? "payment-response" : "x-payment-response"
      gate.script.push((_request, response) =>
        json(response, status, {}, { [header]: encodeHeader(settlement) }),
      )
      expect((await client.fetch(film)).status).toBe(status)
      expect((await client.fetch(film)).status).toBe(200)
      expect(new Set(gate.paymentHeaders).size).toBe(1)
    },
  )

  test("CLI-04: may redirect a paid call within its origin, without the payment", async () => {
    const { client, seller, gate, film } = await setupRoute(version)
    gate.handler = redirect("/seat", 302)
    seller.always("GET /seat", (_request, response) => json(response, 200, { grant: 1 }))
    expect(await (await client.fetch(film)).json()).toEqual({ grant: 1 })
    const [grant] = seller.requestsTo("GET /seat")
    expect([grant?.headers["payment-signature"], grant?.headers["x-payment"]]).toEqual([undefined, undefined])
    expect(gate.settled).toHaveLength(1)
  })

  test("CLI-02: is not paid again when a paid call leads to another price", async () => {
    const { client, seller, gate, film } = await setupRoute(version)
    const other = createPlainGate(version)
    seller.always("GET /seat", other.gate)
    gate.handler = redirect("/seat", 302)
    expect((await client.fetch(film)).status).toBe(402)
    expect([gate.settled.length, other.paymentHeaders]).toEqual([1, []])
  })

  test("is paid in sequence for one URL and in parallel for several", async () => {
    const { client, seller, gate } = await setupRoute(version)
    seller.always("GET /movies/8", gate.gate)
    const calls = ["7", "7", "8"].map((id) => client.fetch(`${seller.url}/movies/${id}`))
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(gate.settled.map(({ nonce }) => nonce)).size).toBe(3)
  })

  test("is subject to rules and approval, and a dry run prices its call", async () => {
    const asked: unknown[] = []
    const { client, gate, film } = await setupRoute(version, {
      budget: { perPurchase: "0.05", perDay: "1", approveAbove: "0.005", perOffer: "0.01" },
      approve: async (purchase) => asked.push(purchase) > 0,
    })
    expect(await client.dryRun(film)).toMatchObject({
      kind: "sale",
      purchase: { offer: "single call", resource: film, price: "0.01", calls: 1, network: "eip155:84532" },
      approval: "price",
    })
    expect(gate.paymentHeaders).toEqual([])
    expect((await client.fetch(film)).status).toBe(200)
    expect(asked).toMatchObject([{ reason: "price", price: "0.01", resource: film }])
    expect((await failure(client.fetch(film))).code).toBe("offer_total_spent")
    gate.changeEntry = (entry) => ({ ...entry, payTo: `0x${"77".repeat(20)}` })
    const strict = await setupRoute(version)
    await strict.client.fetch(strict.film)
    strict.gate.changeEntry = gate.changeEntry
    expect((await failure(strict.client.fetch(strict.film))).code).toBe("recipient_changed")
  })

  test("gets the payment of an aborted call at the next call", async () => {
    const { client, gate, film } = await setupRoute(version)
    const stop = new AbortController()
    gate.script.push(() => stop.abort())
    await expect(client.fetch(film, { signal: stop.signal })).rejects.toThrow(/abort/i)
    expect((await client.fetch(film)).status).toBe(200)
    expect(new Set(gate.paymentHeaders).size).toBe(1)
  })
})

test("payments repeat their entry in v2 and name their network in v1", async () => {
  const two = await setupRoute(2)
  await two.client.fetch(two.film)
  expect(decodeHeader(two.gate.paymentHeaders[0]!)).toMatchObject({
    x402Version: 2,
    resource: { url: "http://seller.example/movies/7" },
    accepted: two.gate.challenge("").accepts[0],
  })
  const one = await setupRoute(1)
  await one.client.fetch(one.film)
  expect(Object.keys(decodeHeader(one.gate.paymentHeaders[0]!) as object)).toEqual([
    "x402Version",
    "scheme",
    "network",
    "payload",
  ])
})

test("a 402 of both versions is paid as v2", async () => {
  const { client, seller, gate, film } = await setupRoute(2)
  seller.script("GET /movies/7", (_request, response) => {
    const header = encodeHeader(gate.challenge(""))
    json(response, 402, createPlainGate(1).challenge(""), { "payment-required": header })
  })
  expect((await client.fetch(film)).status).toBe(200)
})
