import { describe, expect, it } from "vitest"
import { createWaits, type WaitOptions } from "../../../server/grants/settlement-waits.ts"
import type { Redeemed } from "../../../server/ports/records.ts"
import type { Store } from "../../../server/ports/store.ts"
import { openStore } from "../../../server/stores/index.ts"
import { evidenceOf, orderOf, start } from "../../support/orders.ts"

const connected = new AbortController().signal

async function open(options: WaitOptions = {}) {
  const store = await openStore("memory:")
  const order = orderOf({ policy: "first" })
  await store.redeem(order)
  let polls = 0
  const counted: Pick<Store, "recall"> = {
    recall: (input) => {
      polls += 1
      return store.recall(input)
    },
  }
  const waits = createWaits({ store: counted }, { seconds: 5, pollSeconds: 5, ...options })
  async function pay(): Promise<void> {
    const held = await store.lease({ holder: "worker", seconds: 60, now: start })
    const moves = [{ key: order.key, move: { to: "paid", evidence: evidenceOf() } }] as const
    await store.conclude({ fence: held?.fence ?? 0, moves, now: start })
  }
  return { waits, pay, key: order.key, polls: () => polls }
}
const stateOf = (found: Redeemed | null) => found?.redemption.state

describe("a wait for settlement", () => {
  it("ends when this process has settled the payment", async () => {
    const { waits, pay, key, polls } = await open()
    const outcome = waits.outcome(key, connected)
    await pay()
    waits.wake(["another", key])
    expect(stateOf(await outcome)).toBe("paid")
    expect(polls()).toBeLessThan(4)
  })

  it("ends at the next poll when another process has settled the payment", async () => {
    const { waits, pay, key } = await open({ pollSeconds: 0.02 })
    const outcome = waits.outcome(key, connected)
    await pay()
    expect(stateOf(await outcome)).toBe("paid")
  })

  it("ends after its time, on disconnect and on stop, and frees its place", async () => {
    const { waits, key } = await open({ seconds: 0.05, atOnce: 1 })
    expect(await waits.outcome(key, connected)).toBeNull()
    const patient = await open({ atOnce: 1, seconds: 120, pollSeconds: 120 })
    const leaving = new AbortController()
    const left = patient.waits.outcome(patient.key, leaving.signal)
    leaving.abort()
    expect(await left).toBeNull()
    const stopped = patient.waits.outcome(patient.key, connected)
    patient.waits.stop()
    expect(await stopped).toBeNull()
    expect(await patient.waits.outcome(patient.key, connected)).toBeNull()
  })

  it("is refused at once, without a poll, at the maximum of waits", async () => {
    const { waits, key, polls } = await open({ atOnce: 2 })
    const held = [waits.outcome(key, connected), waits.outcome(key, connected)]
    const before = polls()
    expect(await waits.outcome(key, connected)).toBeNull()
    expect(polls()).toBe(before)
    waits.stop()
    await Promise.all(held)
  })
})
