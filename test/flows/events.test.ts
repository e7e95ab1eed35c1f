import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { eventRoutes } from "../../server/admin/events-api.ts"
import { createAdminHandler } from "../../server/admin/handler.ts"
import { createDelivery, type Delivery } from "../../server/app/delivery.ts"
import type { LedgerEvent } from "../../server/delivery/subscriptions.ts"
import type { Store } from "../../server/ports/store.ts"
import { openStore } from "../../server/stores/index.ts"
import { orderOf, start } from "../support/orders.ts"
import { eventually } from "../support/service.ts"

let folder: string
let opened: Store
let delivery: Delivery
let isRotated = false
const errors: string[] = []
const log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (_: object, message: string) => void errors.push(message),
}
const url = () => `sqlite:${join(folder, "ticket402.db")}`
const generation = (letter: string) =>
  opened.identify({
    ...{ issuer: "https://a.example", ring: "r", payTo: `0x${"bb".repeat(20)}` },
    ...{ generation: letter.repeat(32), now: start },
  })

async function open(letter: string) {
  opened = await openStore(url())
  await generation(letter)
  delivery = createDelivery(opened, { own: (resource) => resource, log })
}
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "events-"))
  await open("a")
})
afterAll(async () => {
  delivery.tail.stop()
  await opened.close()
  await rm(folder, { recursive: true })
})
const connections: AbortController[] = []
afterEach(() => {
  for (const each of connections.splice(0)) each.abort()
  isRotated = false
})

const free = { take: async () => {}, check: async () => {} }
type Event = { id: string; event?: string; data?: string }

/** Reads a stream of the admin address event by event. */
async function connect(headers: Record<string, string> = {}, query = "") {
  const tokens = { find: () => (isRotated ? undefined : ({ name: "a", role: "read" } as const)) }
  const deps = { store: opened, tail: delivery.tail, tokens }
  const handle = createAdminHandler(
    { tokens, hosts: [], requests: free, failures: free, log },
    eventRoutes(deps),
  )
  const connection = new AbortController()
  connections.push(connection)
  const response = await handle(
    new Request(`http://127.0.0.1/api/events${query}`, {
      signal: connection.signal,
      headers: { authorization: "Bearer a", ...headers },
    }),
  )
  expect(response.headers.get("content-type")).toBe("text/event-stream")
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  async function next(): Promise<Event | undefined> {
    while (!text.includes("\n\n")) {
      const chunk = await reader?.read()
      if (!chunk || chunk.done) return undefined
      text += chunk.value
    }
    const [frame = ""] = text.split("\n\n", 1)
    text = text.slice(frame.length + 2)
    return Object.fromEntries(frame.split("\n").map((line) => line.split(/: (.*)/s))) as Event
  }
  return { next, close: () => reader?.cancel() }
}
const sell = async () => {
  const order = orderOf()
  await delivery.store.redeem(order)
  return order.key
}
const keyOf = (event: Event | undefined) => JSON.parse(event?.data ?? "{}").payment

describe("the live stream", () => {
  it("sends each entry with its id and kind, beginning with the next one", async () => {
    await sell()
    const stream = await connect()
    expect(await stream.next()).toMatchObject({ id: `${"a".repeat(32)}-1`, retry: "1000" })
    const key = await sell()
    const event = await stream.next()
    expect(event).toMatchObject({ id: `${"a".repeat(32)}-2`, event: "redeemed" })
    expect(keyOf(event)).toBe(key)
  })

  it("begins anywhere, and filters like the ledger", async () => {
    const all = await connect({}, "?after=0&kind=redeemed")
    expect((await all.next())?.id).toBe(`${"a".repeat(32)}-0`)
    expect((await all.next())?.id).toBe(`${"a".repeat(32)}-1`)
    const none = await connect({}, "?after=0&kind=settled")
    await none.next()
    const later = none.next()
    expect(await Promise.race([later, sell().then(() => "nothing")])).toBe("nothing")
  })

  it("ADM-11: loses and repeats nothing over reconnects, also over a restart", async () => {
    const first = await sell()
    let { sequence } = await opened.newest()
    let last = `${"a".repeat(32)}-${sequence - 1}`
    const sold = [first]
    const seen: string[] = []
    const selling = (async () => {
      for (let count = 0; count < 40; count++) sold.push(await sell())
    })()
    while (seen.length < 20) {
      const stream = await connect({ "last-event-id": last })
      await stream.next()
      for (let count = 0; count < 3; count++) {
        const event = await stream.next()
        seen.push(keyOf(event))
        last = event?.id ?? ""
      }
      await stream.close()
    }
    await selling
    delivery.tail.stop()
    await opened.close()
    await open("b")
    const stream = await connect({ "last-event-id": last })
    expect((await stream.next())?.event).toBeUndefined()
    while (seen.length < sold.length) {
      const event = await stream.next()
      expect(event?.id).toMatch(/^b{32}-/)
      seen.push(keyOf(event))
    }
    expect(seen).toEqual(sold)
    ;({ sequence } = await opened.newest())
    expect(Number(/\d+$/.exec(last)?.[0])).toBeLessThan(sequence)
  })

  it("starts anew, and says so, for a place in other books", async () => {
    for (const id of [`${"f".repeat(32)}-2`, `${"a".repeat(32)}-999`, "nonsense"]) {
      const stream = await connect({ "last-event-id": id })
      expect((await stream.next())?.id).toBe(`${"b".repeat(32)}-0`)
      expect((await stream.next())?.event).toBe("anew")
      expect((await stream.next())?.id).toBe(`${"b".repeat(32)}-1`)
    }
  })

  it("wakes for writes of other processes, by polling", async () => {
    const stream = await connect()
    await stream.next()
    const other = await openStore(url())
    const order = orderOf()
    await other.redeem(order)
    await other.close()
    expect(keyOf(await stream.next())).toBe(order.key)
  })

  it("ADM-12: ends when its token does", async () => {
    const stream = await connect()
    await stream.next()
    isRotated = true
    await sell()
    // The entry that was on its way may still arrive.
    const after = [await stream.next(), await stream.next()]
    expect(after.at(-1)).toBeUndefined()
  })

  it("is not read for a reader that takes nothing", async () => {
    let pages = 0
    const ledger: Store["ledger"] = (input) => {
      pages++
      return opened.ledger(input)
    }
    const store = { ...opened, ledger }
    const { eventsOf } = await import("../../server/delivery/event-stream.ts")
    const request = { filter: {}, signal: AbortSignal.timeout(60_000), isAllowed: () => true }
    const events = eventsOf(
      { store, tail: delivery.tail },
      { ...request, start: { after: 0, isAnew: false } },
    )
    await events.next()
    await sell()
    expect(pages).toBe(0)
    await events.next()
    expect(pages).toBe(1)
    await events.return(undefined)
  })
})

describe("a subscription", () => {
  const collect = () => {
    const events: LedgerEvent[] = []
    return { events, handler: (event: LedgerEvent) => void events.push(event) }
  }

  it("hands new entries to its function in order, of the kinds that it names", async () => {
    const all = collect()
    const none = collect()
    const subscriptions = [
      delivery.subscribe(["redeemed"], all.handler),
      delivery.subscribe(["settled"], none.handler),
    ]
    // The first entry is the next one after the subscription has started.
    const keys: string[] = []
    await eventually(
      async () => {
        keys.push(await sell())
        return all.events
      },
      (events) => events.length >= 3,
    )
    await eventually(
      async () => all.events.at(-1)?.redemptionKey,
      (key) => key === keys.at(-1),
    )
    expect(all.events.map(({ redemptionKey }) => redemptionKey)).toEqual(keys.slice(-all.events.length))
    expect(none.events).toEqual([])
    await Promise.all(subscriptions.map((each) => each.stop()))
  })

  it("goes on after the last event that was handled, over a restart", async () => {
    const before = collect()
    const first = delivery.subscribe("all", before.handler, {
      after: `${"b".repeat(32)}-${(await opened.newest()).sequence}`,
    })
    await sell()
    await eventually(
      async () => before.events,
      ({ length }) => length === 1,
    )
    await first.stop()
    const missed = await sell()
    delivery.tail.stop()
    await opened.close()
    await open("c")
    const after = collect()
    const second = delivery.subscribe("all", after.handler, { after: before.events[0]?.id ?? "" })
    await eventually(
      async () => after.events,
      ({ length }) => length === 1,
    )
    expect(after.events[0]).toMatchObject({ redemptionKey: missed, id: expect.stringMatching(/^c{32}-/) })
    await second.stop()
  })

  it("calls a failing function again with the same entry, and never stops a sale", async () => {
    const handled: number[] = []
    let failures = 0
    const after = `${"c".repeat(32)}-${(await opened.newest()).sequence}`
    const subscription = delivery.subscribe(
      "all",
      ({ sequence }) => {
        if (failures++ < 2) throw new Error("away")
        handled.push(sequence)
      },
      { after },
    )
    await sell()
    await sell()
    await eventually(
      async () => handled,
      ({ length }) => length === 2,
    )
    expect(handled[1]).toBe((handled[0] ?? 0) + 1)
    expect(errors.filter((line) => line.includes("a handler of ledger events failed"))).toHaveLength(2)
    await subscription.stop()
  })

  it("refuses an unknown kind and an id that no event had", () => {
    expect(() => delivery.subscribe(["sold" as never], () => {})).toThrow('found the kind "sold"')
    expect(() => delivery.subscribe("all", () => {}, { after: "5" })).toThrow('found after "5"')
  })
})
