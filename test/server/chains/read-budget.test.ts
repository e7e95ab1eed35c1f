import { expect, it } from "vitest"
import { withReadBudget } from "../../../server/chains/read-budget.ts"
import { createRequestBudget } from "../../../server/chains/request-budget.ts"
import type { Chain } from "../../../server/ports/chain.ts"
import { Overloaded } from "../../../server/ports/runtime.ts"

it("DOS-02: payment reads are bounded, running and waiting; settlement reads are not", async () => {
  let reading = 0
  let most = 0
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const chain = {
    async readTransfer() {
      reading += 1
      most = Math.max(most, reading)
      await gate
      reading -= 1
      return "read"
    },
    head: async () => "head",
    agreed: () => null,
  } as unknown as Chain
  const { readTransfer, head } = withReadBudget(chain, { concurrent: 2, waiting: 3 })
  const asked = Array.from({ length: 8 }, () => readTransfer({} as never))
  await expect(Promise.any(asked.slice(5))).rejects.toMatchObject({
    errors: [expect.any(Overloaded), expect.any(Overloaded), expect.any(Overloaded)],
  })
  expect(await head()).toBe("head")
  release()
  expect(await Promise.all(asked.slice(0, 5))).toHaveLength(5)
  expect(most).toBe(2)
  expect(await readTransfer({} as never)).toBe("read")
})

it("DOS-02: reads that two nodes must agree on are bounded like any other", async () => {
  const read = { readTransfer: async () => "read" }
  const chain = { ...read, agreed: () => read } as unknown as Chain
  const agreed = withReadBudget(chain, { perSecond: 1 }).agreed(1n)!
  expect(await agreed.readTransfer({} as never)).toBe("read")
  await expect(agreed.readTransfer({} as never)).rejects.toThrow(Overloaded)
})

it("DOS-02: the search for a transfer on the chain is bounded like any other read", async () => {
  const read = { findLogs: async () => [], receipt: async () => null }
  const chain = { ...read, agreed: () => ({ ...read }) } as unknown as Chain
  const bounded = withReadBudget(chain, { perSecond: 2 })
  await bounded.findLogs({} as never)
  await bounded.receipt("0x")
  await expect(bounded.findLogs({} as never)).rejects.toThrow(Overloaded)
  await expect(bounded.receipt("0x")).rejects.toThrow(Overloaded)
  await expect(bounded.agreed(1n)!.receipt("0x")).rejects.toThrow(Overloaded)
})

it("DOS-12: reads of a payer's code are bounded per second against junk payments", async () => {
  const chain = { hasCode: async () => true } as unknown as Chain
  const { hasCode } = withReadBudget(chain, { perSecond: 3 })
  const asked = await Promise.allSettled(Array.from({ length: 5 }, () => hasCode("0x")))
  const refused = asked.flatMap((each) => (each.status === "rejected" ? [each.reason] : []))
  expect(refused).toEqual([expect.any(Overloaded), expect.any(Overloaded)])
})

it("DOS-02: requests are bounded per second, with the last ones kept for settlement", async () => {
  const { spend, isTight } = createRequestBudget(10)
  const chain = { readTransfer: async () => "read" } as unknown as Chain
  const { readTransfer } = withReadBudget(chain, { isTight })
  for (let request = 0; request < 8; request += 1) await spend()
  expect(await readTransfer({} as never)).toBe("read")
  await spend()
  await expect(readTransfer({} as never)).rejects.toThrow(Overloaded)
  await spend()
  const order: string[] = []
  const since = performance.now()
  await Promise.all(["first", "second"].map((name) => spend().then(() => order.push(name))))
  expect(order).toEqual(["first", "second"])
  expect(performance.now() - since).toBeGreaterThan(500)
  expect(await readTransfer({} as never)).toBe("read")
})
