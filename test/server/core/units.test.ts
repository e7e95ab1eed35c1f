import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  give,
  isUsedUp,
  largestSlice,
  type Meter,
  noted,
  openMeter,
  openUnits,
  report,
  type Slice,
  sliceSize,
  take,
} from "../../../server/core/units.ts"

const open = (units: number): Meter => openMeter(units) ?? { given: 0, left: 0, held: 0, spent: 0 }

/** Actions of gates in any order; `at` selects one of the open slices. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant("take" as const),
    cost: fc.integer({ min: 1, max: 20 }),
    more: fc.nat(30),
    isAlone: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("spend" as const), at: fc.nat(9), cost: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant("report" as const), at: fc.nat(9) }),
  fc.record({ kind: fc.constant("return" as const), at: fc.nat(9) }),
  fc.record({ kind: fc.constant("crash" as const), at: fc.nat(9) }),
  fc.record({ kind: fc.constant("credit" as const), units: fc.integer({ min: 1, max: 30 }) }),
)

describe("units", () => {
  it("TOK-32: are never negative and never spent twice, for any sequence of gates", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.array(step, { maxLength: 80 }), (sold, steps) => {
        let meter = open(sold)
        let slices: Slice[] = []
        /** Units that callers spent from each slice. */
        const used = new Map<number, number>()
        let totalSpent = 0
        let given = sold
        let lastId = 0
        for (const now of steps) {
          const slice = "at" in now ? slices[now.at % Math.max(1, slices.length)] : undefined
          if (now.kind === "credit") {
            meter = give(meter, now.units)
            given += now.units
          }
          if (now.kind === "take") {
            const wanted = now.cost + now.more
            const units = sliceSize(meter.left, { cost: now.cost, wanted }, now.isAlone)
            if (units === 0) continue
            expect(units).toBeLessThanOrEqual(now.isAlone ? Math.max(largestSlice, now.cost) : wanted)
            meter = take(meter, units)
            const id = ++lastId
            slices.push({ id, grantId: "g", holder: "h", units, spent: 0, unused: 0, takenAt: 0 })
            used.set(id, 0)
          }
          if (!slice) continue
          const spentOfSlice = used.get(slice.id) ?? 0
          const replace = (after: Slice) => {
            slices = slices
              .map((each) => (each === slice ? after : each))
              .filter((each) => openUnits(each) > 0)
          }
          if (now.kind === "spend" && spentOfSlice + now.cost + slice.unused <= slice.units) {
            used.set(slice.id, spentOfSlice + now.cost)
            totalSpent += now.cost
          }
          if (now.kind === "report" || now.kind === "return") {
            const unused = now.kind === "return" ? slice.units - spentOfSlice : slice.unused
            const news = { sliceId: slice.id, spent: spentOfSlice, unused }
            const after = report(meter, slice, news)
            // A repeated report changes nothing.
            expect(report(after, noted(slice, news), news)).toEqual(after)
            meter = after
            replace(noted(slice, news))
          }
          if (now.kind === "crash") slices = slices.filter((each) => each !== slice)
          for (const count of Object.values(meter)) expect(count).toBeGreaterThanOrEqual(0)
          expect(meter.left + meter.held + meter.spent).toBe(meter.given)
          expect(meter.given).toBe(given)
          expect(totalSpent).toBeLessThanOrEqual(given - meter.left)
        }
      }),
      { numRuns: 100 },
    )
  })

  const alone = (left: number, cost = 1) => sliceSize(left, { cost, wanted: cost }, true)
  it("are lent in slices of a hundredth, up to 1000, where there are many", () => {
    expect([10_000_000, 50_000, 5000, 1699].map((left) => alone(left))).toEqual([1000, 500, 50, 16])
  })

  it("are lent in slices of at most 16, and fewer as the meter runs low", () => {
    expect([1000, 64, 40, 9, 7, 1, 0].map((left) => alone(left))).toEqual([16, 16, 10, 2, 1, 1, 0])
    expect(alone(40, 25)).toBe(25)
    expect(alone(24, 25)).toBe(0)
  })

  it("are not returned by a report above the slice or below an earlier report", () => {
    const meter = take(open(10), 5)
    const slice: Slice = { id: 1, grantId: "g", holder: "h", units: 5, spent: 0, unused: 0, takenAt: 0 }
    expect(() => report(meter, slice, { sliceId: 1, spent: 3, unused: 3 })).toThrow("does not fit")
    const said = { sliceId: 1, spent: 1, unused: 3 }
    const after = report(meter, slice, said)
    expect(() => report(after, noted(slice, said), { sliceId: 1, spent: 2, unused: 2 })).toThrow(
      "does not fit",
    )
  })

  it("are used up when none is left and none is held", () => {
    expect(isUsedUp(null)).toBe(false)
    expect(isUsedUp(open(1))).toBe(false)
    expect(isUsedUp(take(open(1), 1))).toBe(false)
    expect(isUsedUp({ given: 1, left: 0, held: 0, spent: 1 })).toBe(true)
  })
})
