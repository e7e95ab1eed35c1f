import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { aggregators, batchGas, plan } from "../../../server/core/batch.ts"
import type { Address, Hex } from "../../../shared/values/evm.ts"

const assets: readonly Address[] = [`0x${"aa".repeat(20)}`, `0x${"bb".repeat(20)}`, `0x${"cc".repeat(20)}`]

const payments = fc
  .array(
    fc.record({
      call: fc.record({
        to: fc.constantFrom(...assets),
        data: fc.constant<Hex>(`0xcf092995${"11".repeat(352)}`),
        gas: fc.bigInt(60_000n, 300_000n),
      }),
      alone: fc.boolean(),
    }),
    { maxLength: 120 },
  )
  .map((each) => each.map((payment, order) => ({ ...payment, order })))
const limits = fc.record({ size: fc.integer({ min: 1, max: 50 }), gas: fc.bigInt(1n, 16_000_000n) })

describe("plan()", () => {
  it("puts each payment into one group of one asset within the limits, in order", () => {
    fc.assert(
      fc.property(payments, limits, (given, { size, gas }) => {
        const groups = plan(given, { size, gas })
        expect(groups.flat().toSorted((a, b) => a.order - b.order)).toEqual(given)
        for (const group of groups) {
          expect(new Set(group.map(({ call }) => call.to)).size).toBe(1)
          expect(group.map(({ order }) => order)).toEqual(
            group.map(({ order }) => order).toSorted((a, b) => a - b),
          )
          if (group.length === 1) continue
          expect(group.some(({ alone }) => alone)).toBe(false)
          expect(group.length).toBeLessThanOrEqual(size)
          expect(batchGas(group.map(({ call }) => call))).toBeLessThanOrEqual(gas)
        }
        const firsts = groups.map(([first]) => first!.order)
        expect(firsts).toEqual(firsts.toSorted((a, b) => a - b))
      }),
      { numRuns: 100 },
    )
  })

  it("opens a group only when the one before is full", () => {
    const call = { to: assets[0]!, data: "0x" as const, gas: 60_000n }
    const many = Array.from({ length: 120 }, () => ({ call, alone: false }))
    const groups = plan(many, { size: 50, gas: 16_000_000n })
    expect(groups.map((group) => group.length)).toEqual([50, 50, 20])
  })
})

it("fifty of the most expensive payments fit into one transaction (EIP-7825)", () => {
  const call = { to: assets[0]!, data: `0x${"11".repeat(356)}` as const, gas: 300_000n }
  const many = Array.from({ length: 50 }, () => ({ call, alone: false }))
  for (const group of plan(many, { size: 50, gas: 16_000_000n }))
    expect(batchGas(group.map((each) => each.call))).toBeLessThan(2n ** 24n)
})

it("the batch contracts' call data decodes into the encoded calls", () => {
  const calls = ["0x", "0x11", `0x${"22".repeat(100)}`].map((data) => ({
    to: assets[0]!,
    data: data as Hex,
    gas: 1n,
  }))
  for (const { encode, decode } of aggregators)
    expect(decode(encode(calls)).map(({ to, data }) => ({ to: to.toLowerCase(), data }))).toEqual(
      calls.map(({ to, data }) => ({ to, data })),
    )
})

it("the Settler encodes calls to one contract only", () => {
  const calls = assets.map((to) => ({ to, data: "0x" as const, gas: 1n }))
  expect(() => aggregators[0]!.encode(calls)).toThrow(/one contract/)
  expect(() => aggregators[0]!.encode([])).toThrow(/one contract/)
})
