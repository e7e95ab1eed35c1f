import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { formatAmount, parseAmount, parseAtomic } from "../../shared/values/amount.ts"

describe("amounts", () => {
  it("survive formatting and parsing with any number of decimals", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
        fc.integer({ min: 0, max: 18 }),
        (units, decimals) => {
          expect(parseAmount(formatAmount(units, decimals), decimals)).toBe(units)
        },
      ),
    )
  })

  it("PRS-06: are parsed from the canonical decimal string only", () => {
    const refused = [
      "",
      " ",
      "-5",
      "+5",
      "0b11",
      "0o17",
      "0x10",
      "1e3",
      "1.0",
      "0010000",
      " 10000 ",
      "\u00a01",
      "\ufeff1",
      "١٢",
    ]
    for (const text of refused) expect(() => parseAtomic(text), JSON.stringify(text)).toThrow()
    expect(parseAtomic("0")).toBe(0n)
    expect(parseAtomic("10000")).toBe(10000n)
  })

  it("with more decimals than the asset has are refused, never rounded", () => {
    expect(parseAmount("0.01", 6)).toBe(10_000n)
    expect(() => parseAmount("0.0000001", 6)).toThrow(/7 decimal places, the asset has 6/)
    for (const text of ["", ".5", "1.", "01", "1e3", "-1", "1,5"])
      expect(() => parseAmount(text, 6), JSON.stringify(text)).toThrow()
  })
})
