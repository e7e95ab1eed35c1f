import { beforeEach, describe, expect, it } from "vitest"
import { createFunding, type FundingDeps } from "../../../server/feeds/gas-funding.ts"
import { ChainUnavailable } from "../../../server/ports/chain.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"

const gwei = 10n ** 9n
const ether = 10n ** 18n
const relayers = [{ address: "0x01" }, { address: "0x02" }] as const

let time: number
let asked: number
let balances: Record<string, bigint>
let maxFeePerGas: bigint
let logged: string[]
beforeEach(() => {
  time = 1000
  asked = 0
  balances = { "0x01": ether, "0x02": 0n }
  maxFeePerGas = gwei
  logged = []
})

const logAt = (level: string) => (fields: object, message: string) => {
  // A log line has a level of its own.
  expect(fields).not.toHaveProperty("level")
  logged.push(`${level}: ${message}`)
}
const open = (change: Partial<FundingDeps> = {}) =>
  createFunding({
    chain: {
      network: sepolia,
      gasBalance: async (address) => balances[address] ?? 0n,
      async fees() {
        asked += 1
        return { maxFeePerGas, maxPriorityFeePerGas: 1n }
      },
    },
    relayers,
    nativePrice: 3_000_000_000n,
    now: () => time,
    log: { debug: logAt("debug"), info: logAt("info"), warn: logAt("warn"), error: logAt("error") },
    ...change,
  })

describe("gas funding", () => {
  it("needs one relayer with gas and forecasts from the balance of all", async () => {
    balances["0x02"] = ether
    const funding = open()
    await funding.check()
    expect(await funding.forecast()).toMatchObject({ wei: 2n * ether, level: "good" })
    balances = { "0x01": 0n, "0x02": 0n }
    time += 10
    await expect(funding.check()).rejects.toMatchObject({ reason: "relayer_unfunded" })
    balances["0x02"] = ether
    await expect(funding.check()).rejects.toMatchObject({ reason: "relayer_unfunded" })
    time += 1
    await funding.check()
  })

  it("learns the gas of a payment from mined transactions, and its cost from batches", async () => {
    const funding = open()
    const before = await funding.cost()
    for (let mined = 0; mined < 50; mined += 1) funding.noteMined(100_000n, 1)
    expect(await funding.cost()).toBe(before)
    time += 10
    expect(Number((await funding.forecast()).payments) / (1e18 / 1e9 / 100_000)).toBeCloseTo(1, 2)
    for (let mined = 0; mined < 50; mined += 1) funding.noteMined(60_000n * 50n, 50)
    expect(Number(await funding.cost()) / Number(before)).toBeCloseTo(60_000 / 49_340, 2)
    time += 10
    expect(Number((await funding.forecast()).payments) / (1e18 / 1e9 / 60_000)).toBeCloseTo(1, 2)
  })

  it("logs once each that gas is low, is gone and is back", async () => {
    const funding = open()
    for (const wei of [ether, 10n ** 15n, 10n ** 15n - 1n, 0n, 0n, ether]) {
      balances["0x01"] = wei
      time += 3601
      await funding.forecast()
    }
    expect(logged).toEqual([
      "warn: the relayer runs out of gas",
      "error: the relayer has no gas; nothing is sold",
      "info: the relayer has gas again",
    ])
  })

  it("DOS-05: reads the node once in ten seconds for any number of payments", async () => {
    const funding = open()
    await Promise.all(Array.from({ length: 50 }, () => funding.requireWorth(1_000_000n)))
    time += 9
    await funding.check()
    expect(asked).toBe(1)
    time += 1
    await funding.check()
    expect(asked).toBe(2)
  })

  it("SET-24: refuses a payment below its settlement cost at current fees, to the unit", async () => {
    const funding = open()
    const cost = (await funding.cost())!
    expect(cost).toBe(148_020n)
    await funding.requireWorth(cost)
    await expect(funding.requireWorth(cost - 1n)).rejects.toMatchObject({ reason: "amount_below_minimum" })
    maxFeePerGas *= 2n
    time += 10
    await expect(funding.requireWorth(cost)).rejects.toMatchObject({ reason: "amount_below_minimum" })
  })

  it("SET-24: skips the check without a coin price; sells nothing without fees", async () => {
    const unpriced = open({ nativePrice: undefined })
    await unpriced.requireWorth(1n)
    expect([await unpriced.cost(), asked]).toEqual([null, 0])
    const fees = () => Promise.reject(new ChainUnavailable("gone"))
    const withoutFees = open({ chain: { network: sepolia, gasBalance: async () => ether, fees } })
    await expect(withoutFees.requireWorth(10n ** 12n)).rejects.toThrow(ChainUnavailable)
  })
})
