import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { bumpFees, capFees, isPricedOut } from "../../../server/core/fees.ts"

const price = fc
  .tuple(fc.bigInt(1n, 10n ** 12n), fc.bigInt(0n, 10n ** 12n))
  .map(([baseFee, tip]) => ({ maxFeePerGas: baseFee + tip, maxPriorityFeePerGas: tip }))

describe("bumpFees()", () => {
  it("SET-22: raises both fields by an eighth at least, within the cap", () => {
    fc.assert(
      fc.property(price, price, fc.bigInt(1n, 10n ** 13n), (previous, suggested, cap) => {
        const bumped = bumpFees(previous, suggested, cap)
        if (bumped === null) {
          expect(previous.maxFeePerGas * 9n + 8n > cap * 8n).toBe(true)
          return
        }
        for (const field of ["maxFeePerGas", "maxPriorityFeePerGas"] as const) {
          expect(bumped[field] * 8n >= previous[field] * 9n).toBe(true)
          expect(bumped[field] > previous[field]).toBe(true)
        }
        expect(bumped.maxFeePerGas <= cap).toBe(true)
        expect(bumped.maxPriorityFeePerGas <= bumped.maxFeePerGas).toBe(true)
      }),
    )
  })

  it("rounds up", () => {
    const previous = { maxFeePerGas: 9n, maxPriorityFeePerGas: 1n }
    expect(bumpFees(previous, previous, 100n)).toEqual({ maxFeePerGas: 11n, maxPriorityFeePerGas: 2n })
  })

  it("rises to the suggested fee", () => {
    const previous = { maxFeePerGas: 100n, maxPriorityFeePerGas: 10n }
    const suggested = { maxFeePerGas: 900n, maxPriorityFeePerGas: 20n }
    expect(bumpFees(previous, suggested, 1000n)).toEqual(suggested)
    expect(bumpFees(previous, suggested, 500n)).toEqual({ maxFeePerGas: 500n, maxPriorityFeePerGas: 20n })
  })

  it("returns null where the cap leaves no room", () => {
    const previous = { maxFeePerGas: 100n, maxPriorityFeePerGas: 10n }
    expect(bumpFees(previous, previous, 112n)).toBeNull()
    expect(bumpFees(previous, previous, 113n)).not.toBeNull()
  })
})

describe("capFees() and isPricedOut()", () => {
  it("a suggestion is cut at the cap", () => {
    const suggested = { maxFeePerGas: 100n, maxPriorityFeePerGas: 60n }
    expect(capFees(suggested, 50n)).toEqual({ maxFeePerGas: 50n, maxPriorityFeePerGas: 50n })
    expect(capFees(suggested, 100n)).toEqual(suggested)
  })

  it("a price is outbid when the suggestion is more than twice as high", () => {
    const at = (maxFeePerGas: bigint) => ({ maxFeePerGas, maxPriorityFeePerGas: 1n })
    expect(isPricedOut(at(50n), at(100n))).toBe(false)
    expect(isPricedOut(at(50n), at(101n))).toBe(true)
  })
})
