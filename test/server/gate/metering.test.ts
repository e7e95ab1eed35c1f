import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { largestSlice, openMeter, sliceSeconds } from "../../../server/core/units.ts"
import type { Charge } from "../../../server/gate/account.ts"
import { createMetering, type Metering } from "../../../server/gate/metering.ts"
import type { Logger } from "../../../server/ports/runtime.ts"
import { type Store, StoreUnavailable } from "../../../server/ports/store.ts"
import { openStore } from "../../../server/stores/index.ts"
import { orderOf, start } from "../../support/orders.ts"
import { eventually } from "../../support/service.ts"

const log: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
let store: Store
let time: number
let gates: Metering[]
/** The number of calls to the store. */
let storeCalls: number
let isDown: boolean

const open = (holder: string): Metering => {
  const counted = async <T>(work: () => Promise<T>): Promise<T> => {
    storeCalls += 1
    if (isDown) throw new StoreUnavailable("away")
    return work()
  }
  const gate = createMetering(
    {
      store: {
        takeUnits: (input) => counted(() => store.takeUnits(input)),
        reportUnits: (input) => counted(() => store.reportUnits(input)),
      },
      now: () => time,
      log,
    },
    { holder },
  )
  gate.start()
  gates.push(gate)
  return gate
}
const sell = async (units: number): Promise<string> => {
  const order = orderOf({ grant: { meter: openMeter(units) } })
  await store.redeem(order)
  return order.grant.id
}
const meterOf = async (grantId: string) => (await store.findGrant({ by: "id", value: grantId }))?.grant.meter
const passed = (answer: Charge | string): Charge => {
  if (typeof answer === "string") throw new Error(`refused: ${answer}`)
  return answer
}
const call = async (gate: Metering, grantId: string, cost = 1) => {
  const answer = await gate.spend(grantId, cost)
  if (typeof answer === "string") return answer
  answer.settle("kept")
  return "passed"
}

beforeEach(async () => {
  store = await openStore("memory:")
  time = start
  gates = []
  storeCalls = 0
  isDown = false
})
afterEach(() => Promise.all(gates.map((gate) => gate.stop())))

describe("metering", () => {
  it("TOK-32: passes exactly as many concurrent calls as were sold", async () => {
    const id = await sell(10)
    const [a, b] = [open("a"), open("b")]
    const answers = await Promise.all(Array.from({ length: 100 }, (_, at) => call(at % 2 ? a : b, id)))
    expect(answers.filter((answer) => answer === "passed")).toHaveLength(10)
    expect(answers.filter((answer) => answer === "exhausted")).toHaveLength(90)
  })

  it("asks the store once per slice", async () => {
    const id = await sell(1000)
    const gate = open("a")
    const answers = await Promise.all(Array.from({ length: largestSlice }, () => call(gate, id)))
    expect(new Set(answers)).toEqual(new Set(["passed"]))
    expect(storeCalls).toBe(1)
  })

  it("reports the quota and the remaining units with every call", async () => {
    const id = await sell(40)
    const gate = open("a")
    expect(passed(await gate.spend(id, 1))).toMatchObject({ quota: 40, remaining: 39 })
    expect(passed(await gate.spend(id, 5))).toMatchObject({ quota: 40, remaining: 34 })
  })

  it("TOK-33: charges nothing for a call that the service failed, even late", async () => {
    const id = await sell(1)
    const gate = open("a")
    passed(await gate.spend(id, 1)).settle("returned")
    const late = passed(await gate.spend(id, 1))
    expect(await gate.spend(id, 1)).toBe("exhausted")
    time += sliceSeconds
    late.settle("returned")
    late.settle("returned")
    expect(await call(gate, id)).toBe("passed")
    expect(await call(gate, id)).toBe("exhausted")
  })

  it("returns unused units after a few seconds", async () => {
    const id = await sell(100)
    expect(await call(open("a"), id)).toBe("passed")
    expect(await meterOf(id)).toEqual({ given: 100, left: 84, held: 16, spent: 0 })
    time += sliceSeconds
    await eventually(
      () => meterOf(id),
      (meter) => meter?.left === 99,
    )
    expect(await meterOf(id)).toEqual({ given: 100, left: 99, held: 0, spent: 1 })
  })

  it("returns unused units on stop and counts calls in progress as spent", async () => {
    const id = await sell(100)
    const gate = open("a")
    const open1 = passed(await gate.spend(id, 1))
    await call(gate, id)
    await gate.stop()
    open1.settle("returned")
    expect(await meterOf(id)).toEqual({ given: 100, left: 98, held: 0, spent: 2 })
  })

  it("passes every bought call although another gate holds some units", async () => {
    const id = await sell(8)
    const [a, b] = [open("a"), open("b")]
    expect(await call(a, id)).toBe("passed")
    const answers = await Promise.all([
      ...Array.from({ length: 7 }, () => call(b, id)),
      // Time passes while the last call waits for units held by the other gate.
      new Promise<"time">((resolve) =>
        setTimeout(() => {
          time += sliceSeconds
          resolve("time")
        }, 200),
      ),
    ])
    expect(answers.filter((answer) => answer === "passed")).toHaveLength(7)
    expect(await call(b, id)).toBe("exhausted")
  })

  it("does not wait for the units of a crashed gate", async () => {
    const id = await sell(2)
    await store.takeUnits({ grantId: id, holder: "crashed", cost: 2, wanted: 2, reports: [], now: time })
    time += sliceSeconds * 2
    const began = performance.now()
    expect(await call(open("a"), id)).toBe("exhausted")
    expect(performance.now() - began).toBeLessThan(2000)
  })

  it("keeps a small rest for cheaper calls", async () => {
    const id = await sell(7)
    const gate = open("a")
    expect(await call(gate, id, 5)).toBe("passed")
    expect(await call(gate, id, 5)).toBe("exhausted")
    expect([await call(gate, id), await call(gate, id), await call(gate, id)]).toEqual([
      "passed",
      "passed",
      "exhausted",
    ])
  })

  it("passes no call while the store is unavailable, and loses no units", async () => {
    const id = await sell(100)
    const gate = open("a")
    expect(await call(gate, id)).toBe("passed")
    isDown = true
    time += sliceSeconds
    await eventually(
      async () => storeCalls,
      (count) => count > 2,
    )
    expect(await gate.spend(id, 1)).toBe("unavailable")
    isDown = false
    time += 1
    expect(await call(gate, id)).toBe("passed")
    await gate.stop()
    expect(await meterOf(id)).toEqual({ given: 100, left: 98, held: 0, spent: 2 })
  })

  it("asks the store once a second for an exhausted grant, not at every call", async () => {
    const id = await sell(1)
    const gate = open("a")
    for (let calls = 0; calls < 50; calls++) await call(gate, id)
    expect(storeCalls).toBeLessThanOrEqual(3)
    await store.creditUnits({ grantId: id, units: 1, note: null, now: time })
    time += 1
    expect(await call(gate, id)).toBe("passed")
  })
})
