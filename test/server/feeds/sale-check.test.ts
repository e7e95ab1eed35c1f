import { beforeEach, describe, expect, it } from "vitest"
import { createSaleCheck } from "../../../server/feeds/sale-check.ts"
import { ChainUnavailable } from "../../../server/ports/chain.ts"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { exactEip3009 } from "../../../shared/schemes/exact-eip3009.ts"

let time = 0
let failure: Error | undefined
let logged: string[] = []
beforeEach(() => {
  time = 1_800_000_000
  failure = undefined
  logged = []
})
const note = (_fields: object, message: string) => void logged.push(message)
const log = { debug: () => {}, info: note, warn: note, error: note }
const readTransfer = async () => {
  if (failure) throw failure
  return {} as never
}
const open = () =>
  createSaleCheck({
    chain: { network: baseSepolia, ready: async () => {}, readTransfer, canSettle: async () => {} },
    checkAssets() {},
    funding: { check: async () => {} },
    keys: { check: () => {} },
    sold: [{ scheme: exactEip3009, asset: baseSepolia.assets[0].address }],
    now: () => time,
    log,
  })

describe("the check of a sale", () => {
  it("fails while no node answers the read of a sale, and recovers a second after one does", async () => {
    const { check } = open()
    failure = new ChainUnavailable("no node")
    await expect(check()).rejects.toBe(failure)
    failure = undefined
    await expect(check()).rejects.toBeInstanceOf(ChainUnavailable)
    time += 1
    await check()
    expect(logged).toEqual(["no sale can succeed", "sales are possible again"])
  })

  it("believes an answer for ten seconds", async () => {
    const { check } = open()
    await check()
    failure = new ChainUnavailable("no node")
    time += 9
    await check()
    time += 1
    await expect(check()).rejects.toBe(failure)
  })
})
