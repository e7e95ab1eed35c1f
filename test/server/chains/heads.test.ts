import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createHeads } from "../../../server/chains/heads.ts"

const open = () => {
  let time = 0
  const heads = createHeads({ clock: () => time, blocks: 2n, believeAfterMs: 1000 })
  const at = (milliseconds: number, block: bigint) => {
    time = milliseconds
    return heads.isCurrent(block)
  }
  return at
}

describe("SET-28: an answer older than the newest known block", () => {
  it("is rejected unless it lags by the few blocks of ordinary propagation", () => {
    const at = open()
    expect([at(0, 100n), at(0, 98n), at(0, 97n), at(0, 101n), at(0, 98n)]).toEqual([
      true,
      true,
      false,
      true,
      false,
    ])
  })

  it("is accepted once no newer block was reported for the waiting time (reorg)", () => {
    const at = open()
    at(0, 100n)
    expect([at(10, 90n), at(500, 91n), at(1009, 90n)]).toEqual([false, false, false])
    expect([at(1010, 91n), at(1010, 90n), at(1010, 88n)]).toEqual([true, true, false])
  })

  it("is rejected as long as any node reports the newer block", () => {
    const at = open()
    for (let time = 0; time < 10_000; time += 500) {
      expect(at(time, 100n)).toBe(true)
      expect(at(time, 90n)).toBe(false)
    }
  })

  it("is rejected when it is the first one after a long silence", () => {
    const at = open()
    at(0, 100n)
    expect(at(1_000_000, 90n)).toBe(false)
  })

  it("is accepted after the waiting time, whatever blocks were claimed before", () => {
    const claims = fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(claims, fc.bigInt({ min: 0n, max: 100n }), (lies, head) => {
        const at = open()
        for (const lie of lies) at(0, lie)
        at(1, head)
        expect(at(1001, head)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })
})
