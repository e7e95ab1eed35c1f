/** Failures before the network cost nothing, and errors keep their cause and the service's reason. */
import { expect, test } from "vitest"
import { failure, setup } from "../../support/client-setup.ts"
import { cutConnection, refuse } from "../../support/fake-origin.ts"

/** A fetch that throws at once for requests to a path, as a host does that lacks a feature. */
const throwing = (path: string, thrown: unknown, first = Number.POSITIVE_INFINITY): typeof fetch => {
  let left = first
  return (input, init) => {
    if (new URL(String(input)).pathname === path && left-- > 0) throw thrown
    return fetch(input, init)
  }
}

test("CLI-14: a fetch that throws at once has sent nothing, and the budget is not used", async () => {
  const thrown = new TypeError("redirect: manual is not implemented")
  const { client, seller } = await setup({ fetch: throwing("/token", thrown, 1) })
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "not_sent",
    action: "retry",
    cause: thrown,
  })
  expect(await client.spent()).toEqual({ day: "0", left: "1", total: "0" })
  // Control: nothing is left over that the next call would have to send first.
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect((await client.spent()).total).toBe("0.01")
})

test("CLI-14: a fetch that throws at once after a lost answer leaves the payment kept", async () => {
  const thrown = new TypeError("no more")
  let calls = 0
  const flaky: typeof fetch = (input, init) => {
    if (new URL(String(input)).pathname === "/token" && ++calls > 1) throw thrown
    return fetch(input, init)
  }
  const { client, seller } = await setup({ fetch: flaky })
  seller.script("POST /token", cutConnection)
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "outcome_unknown",
    cause: thrown,
  })
  expect((await client.spent()).total).toBe("0.01")
})

test("a host without AbortSignal.timeout buys as any other", async () => {
  const { client, seller } = await setup()
  const { timeout } = AbortSignal
  Reflect.deleteProperty(AbortSignal, "timeout")
  try {
    expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  } finally {
    AbortSignal.timeout = timeout
  }
})

test("CLI-14: a host that cannot make DPoP keys signs no payment", async () => {
  const { client, seller } = await setup({ dpop: true })
  const { generateKey } = crypto.subtle
  crypto.subtle.generateKey = (() => Promise.reject(new Error("not supported"))) as never
  try {
    expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
      code: "not_sent",
      cause: { message: "not supported" },
    })
  } finally {
    crypto.subtle.generateKey = generateKey
  }
  expect((await client.spent()).total).toBe("0")
})

test("a service without gas is reported at once, with its reason", async () => {
  const { client, seller, delays } = await setup()
  seller.always("POST /token", refuse("relayer_unfunded"))
  const error = await failure(client.fetch(`${seller.url}/movies/7`))
  expect(error).toMatchObject({ code: "outcome_unknown", action: "retry", reason: "relayer_unfunded" })
  expect(error.message).toContain("relayer_unfunded")
  expect(delays).toEqual([])
  // Control: the same payment is taken later.
  seller.always("POST /token", seller.router)
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
})

test("an event names the reason of a wait, and the error keeps the last one", async () => {
  const { client, seller, events } = await setup()
  seller.script("POST /token", refuse("queue_full"))
  seller.always("POST /token", cutConnection)
  const error = await failure(client.fetch(`${seller.url}/movies/7`))
  expect(error).toMatchObject({ code: "outcome_unknown", reason: "queue_full" })
  expect(error.cause).toBeInstanceOf(TypeError)
  expect(events).toContainEqual(expect.objectContaining({ type: "waiting", reason: "queue_full" }))
})

test("an unanswered refresh keeps the cause and the reason", async () => {
  const { client, seller, clock } = await setup()
  await client.fetch(`${seller.url}/movies/7`)
  clock.now += 400
  seller.always("POST /token", refuse("store_unavailable"))
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "refresh_unanswered",
    reason: "store_unavailable",
  })
  seller.always("POST /token", cutConnection)
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).cause).toBeInstanceOf(TypeError)
})

test("an approval that throws is a no, and its error is the cause", async () => {
  const thrown = new Error("the window was closed")
  const approve = () => {
    throw thrown
  }
  const { client, seller } = await setup({ approve })
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "approval_denied",
    cause: thrown,
  })
})
