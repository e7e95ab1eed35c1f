import { describe, expect, it } from "vitest"
import { createWaits, type WaitOptions } from "../../../server/grants/settlement-waits.ts"
import type { Redeemed } from "../../../server/ports/records.ts"
import type { Store } from "../../../server/ports/store.ts"
import { createMemoryStore } from "../../../server/stores/memory/store.ts"
import { evidenceOf, orderOf, start } from "../../support/orders.ts"

const nobody = new AbortController().signal

async function open(options: WaitOptions = {}) {
  const store = createMemoryStore()
  const order = orderOf({ policy: "first" })
  await store.redeem(order)
  let looks = 0
  const counted: Pick<Store, "recall"> = {
    recall: (input) => {
      looks += 1
      return store.recall(input)
    },
  }
  const waits = createWaits({ store: counted }, { seconds: 5, pollSeconds: 5, ...options })
  async function pay(): Promise<void> {
    const held = await store.lease({ holder: "worker", seconds: 60, now: start })
    const moves = [{ key: order.key, move: { to: "paid", evidence: evidenceOf() } }] as const
    await store.conclude({ fence: held?.fence ?? 0, moves, now: start })
  }
  return { waits, pay, key: order.key, looks: () => looks }
}
const stateOf = (found: Redeemed | null) => found?.redemption.state

describe("a wait for the money", () => {
  it("ends when this process has settled it", async () => {
    const { waits, pay, key, looks } = await open()
    const outcome = waits.outcome(key, nobody)
    await pay()
    waits.wake(["another", key])
    expect(stateOf(await outcome)).toBe("paid")
    expect(looks()).toBeLessThan(4)
  })

  it("ends when another process has, at the next look", async () => {
    const { waits, pay, key } = await open({ pollSeconds: 0.02 })
    const outcome = waits.outcome(key, nobody)
    await pay()
    expect(stateOf(await outcome)).toBe("paid")
  })

  it("ends when it takes too long, when nobody listens, and when the service stops; each makes room", async () => {
    const { waits, key } = await open({ seconds: 0.05, atOnce: 1 })
    expect(await waits.outcome(key, nobody)).toBeNull()
    const patient = await open({ atOnce: 1, seconds: 120, pollSeconds: 120 })
    const leaving = new AbortController()
    const left = patient.waits.outcome(patient.key, leaving.signal)
    leaving.abort()
    expect(await left).toBeNull()
    const stopped = patient.waits.outcome(patient.key, nobody)
    patient.waits.stop()
    expect(await stopped).toBeNull()
    expect(await patient.waits.outcome(patient.key, nobody)).toBeNull()
  })

  it("is refused at once, without a look, when as many wait as may", async () => {
    const { waits, key, looks } = await open({ atOnce: 2 })
    const held = [waits.outcome(key, nobody), waits.outcome(key, nobody)]
    const before = looks()
    expect(await waits.outcome(key, nobody)).toBeNull()
    expect(looks()).toBe(before)
    waits.stop()
    await Promise.all(held)
  })
})
