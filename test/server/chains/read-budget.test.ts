import { expect, it } from "vitest"
import { withReadBudget } from "../../../server/chains/read-budget.ts"
import { type Chain, Overloaded } from "../../../server/ports.ts"

it("DOS-02: reads of payments are bounded in number and in waiting; the settlement's own reads are not", async () => {
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
