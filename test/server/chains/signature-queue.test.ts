import { setImmediate as nextTurn } from "node:timers/promises"
import { expect, it } from "vitest"
import { createSignatureQueue } from "../../../server/chains/signature-queue.ts"
import { Overloaded } from "../../../server/ports/runtime.ts"

const address = `0x${"a".repeat(40)}` as const
const checkOf = (recover: ReturnType<typeof createSignatureQueue>) => recover("0x01", "0x02")

it("DOS-01: a turn of the event loop has four signature checks at most", async () => {
  let checks = 0
  const recover = createSignatureQueue(async () => {
    checks += 1
    return address
  })
  const all = Promise.all(Array.from({ length: 40 }, () => checkOf(recover)))
  for (let before = checks, turns = 0; turns < 12; before = checks, turns++) {
    await nextTurn()
    expect(checks - before).toBeLessThanOrEqual(4)
  }
  expect(await all).toEqual(Array.from({ length: 40 }, () => address))
})

it("DOS-01: signature checks above the length of their queue are refused at once", async () => {
  const recover = createSignatureQueue(async () => address)
  const outcomes = await Promise.allSettled(Array.from({ length: 300 }, () => checkOf(recover)))
  const refused = outcomes.filter((outcome) => outcome.status === "rejected")
  expect(refused).toHaveLength(300 - 256)
  expect(refused.every(({ reason }) => reason instanceof Overloaded)).toBe(true)
  expect(await checkOf(recover)).toBe(address)
})
