import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { costInCurrency, firstGas, forecastGas, learnGas } from "../../../server/core/gas.ts"

const ether = 10n ** 18n
const gwei = 10n ** 9n

describe("SET-24: the cost of a settlement", () => {
  it("is the gas at the current fee, in millionths of the currency", () => {
    expect(costInCurrency(firstGas.batched, 10n * gwei, 3_000_000_000n)).toBe(1_480_200n)
    expect(costInCurrency(1_000_000n, gwei, 1_000_000n)).toBe(1000n)
  })

  it("is rounded up by less than one unit", () => {
    const whole = fc.bigInt({ min: 0n, max: 10n ** 15n })
    fc.assert(
      fc.property(whole, whole, whole, (gas, fee, price) => {
        const cost = costInCurrency(gas, fee, price) * ether
        const exact = gas * fee * price
        expect(cost >= exact && cost - exact < ether).toBe(true)
      }),
      { numRuns: 100 },
    )
  })
})

describe("the average gas of a payment", () => {
  it("counts an eighth of each mined transaction, and for batches those with several payments", () => {
    const alone = learnGas(firstGas, firstGas.each + 8000n, 1)
    expect(alone).toEqual({ each: firstGas.each + 1000n, batched: firstGas.batched })
    const batch = learnGas(firstGas, (firstGas.batched + 8000n) * 50n, 50)
    expect(batch.batched).toBe(firstGas.batched + 1000n)
    expect(batch.each).toBeLessThan(firstGas.each)
  })
})

describe("DOS-05: the gas forecast", () => {
  const rich = 10n * ether
  const at = (seconds: number, wei: bigint) => ({ at: seconds, wei })

  it("counts payments at the current fee, and hours once gas was spent", () => {
    expect(forecastGas([at(0, rich)], rich, gwei)).toEqual({
      wei: rich,
      level: "good",
      payments: rich / (firstGas.each * gwei),
      hours: null,
    })
    expect(forecastGas([at(0, 5n * ether), at(1800, 4n * ether)], rich, gwei)).toMatchObject({ hours: 2 })
  })

  it("ignores gas that was added meanwhile", () => {
    const balances = [at(0, 5n * ether), at(600, 4n * ether), at(1200, 9n * ether), at(3600, 8n * ether)]
    expect(forecastGas(balances, rich, gwei).hours).toBe(4)
  })

  it("is low below a day or 100 payments, critical when the next may fail", () => {
    expect(forecastGas([at(0, 2n * ether), at(3600, ether)], rich, gwei).level).toBe("low")
    expect(forecastGas([at(0, 99n * firstGas.each * gwei)], rich, gwei).level).toBe("low")
    expect(forecastGas([at(0, 100n * firstGas.each * gwei)], rich, gwei).level).toBe("good")
    expect(forecastGas([at(0, rich)], 150_000n * gwei - 1n, gwei).level).toBe("critical")
    expect(forecastGas([at(0, 0n)], 0n, gwei)).toMatchObject({ level: "critical", payments: 0n })
  })
})
