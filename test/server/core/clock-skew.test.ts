import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { explainByClock, leastSkew, type SeenBlock, seeBlock } from "../../../server/core/clock-skew.ts"
import { Refusal } from "../../../shared/refusals.ts"

const blockSeconds = 12
const start = 1_800_000_000
/** The skews that a clock which is off by so much sees, at readings so many seconds apart. */
function measure(
  off: number,
  gaps: readonly number[],
  newest: (time: number) => { readonly number: bigint; readonly time: number },
): readonly number[] {
  let seen: SeenBlock | undefined
  let time = start
  return gaps.map((gap) => {
    time += gap
    const block = { ...newest(time), now: time + off }
    seen = seeBlock(seen, block, blockSeconds)
    return seen.skew
  })
}
const steadily = (time: number) => {
  const number = Math.floor(time / blockSeconds)
  return { number: BigInt(number), time: number * blockSeconds }
}
/** A development chain makes a block when something is to be done. */
const onDemand = (madeAt: readonly number[]) => (time: number) => {
  const made = madeAt.filter((at) => at <= time)
  return { number: BigInt(made.length), time: made.at(-1) ?? 0 }
}
const gaps = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 20, maxLength: 40 })

describe("the skew of this server's clock", () => {
  it("SET-33: is never seen where the clock is right, however seldom the chain is read", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 2 }), (anyGaps) => {
        expect(measure(0, anyGaps, steadily).every((skew) => skew === 0)).toBe(true)
      }),
    )
  })

  it("SET-33: of a clock behind or ahead is seen, up to the time between two readings", () => {
    fc.assert(
      fc.property(fc.integer({ min: -7200, max: 7200 }), gaps, (off, some) => {
        const last = measure(off, some, steadily).at(-1) ?? 0
        const tolerance = 2 * blockSeconds + 60
        expect(Math.abs(last)).toBeLessThanOrEqual(Math.abs(off))
        if (Math.abs(off) > tolerance) expect(Math.sign(last)).toBe(Math.sign(off))
        expect(Math.abs(off) - Math.abs(last)).toBeLessThanOrEqual(tolerance)
      }),
    )
  })

  it("SET-33: is never seen where the clock is right and blocks come now and then", () => {
    const some = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 2, maxLength: 20 })
    fc.assert(
      fc.property(some, some, (readings, pauses) => {
        let at = start
        const madeAt = pauses.map((pause) => (at += pause))
        const skews = measure(0, readings, onDemand([start, ...madeAt]))
        expect(skews.every((skew) => skew === 0)).toBe(true)
      }),
    )
  })

  it("is the least of all networks, because one wrong network proves nothing", () => {
    expect(leastSkew([])).toBe(0)
    expect(leastSkew([-3600, 4, 700])).toBe(4)
    expect(leastSkew([-3600])).toBe(-3600)
  })

  it("is named in refusals that a wrong clock can cause, and in no others", () => {
    const found = (error: unknown) => (error instanceof Refusal ? error.found : "")
    const explain = (skew: number) =>
      found(explainByClock(new Refusal("validity_too_short", "Wanted 84 seconds."), skew))
    expect(explain(3600)).toBe("Wanted 84 seconds. The clock of this server is 3600 s ahead of the chain.")
    expect(explain(-300)).toBe("Wanted 84 seconds. The clock of this server is 300 s behind the chain.")
    expect(explain(12)).toBe("Wanted 84 seconds.")
    expect(found(explainByClock(new Refusal("amount_mismatch"), 3600))).toBeUndefined()
  })
})
