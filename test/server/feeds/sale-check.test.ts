import { beforeEach, describe, expect, it } from "vitest"
import { createSaleCheck } from "../../../server/feeds/sale-check.ts"
import { refusalResponse } from "../../../server/http/respond.ts"
import { Overloaded, ThreadFailed } from "../../../server/ports/runtime.ts"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"

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
const open = () =>
  createSaleCheck({
    chain: { network: baseSepolia, ready: async () => {}, readTransfer: async () => ({}) as never },
    checkAssets() {},
    funding: { check: async () => {} },
    keys: { check: () => {} },
    recover: async () => {
      if (failure) throw failure
      return undefined
    },
    sold: [],
    now: () => time,
    log,
  })

describe("the check of a sale", () => {
  it("fails while signatures cannot be checked, and recovers a second after they can", async () => {
    const { check } = open()
    failure = new ThreadFailed("signature checks")
    await expect(check()).rejects.toBe(failure)
    failure = undefined
    await expect(check()).rejects.toBeInstanceOf(ThreadFailed)
    time += 1
    await check()
    expect(logged).toEqual(["no sale can succeed", "sales are possible again"])
  })

  it("passes while a full queue empties", async () => {
    failure = new Overloaded("signature checks")
    await open().check()
  })

  it("believes an answer for ten seconds", async () => {
    const { check } = open()
    await check()
    failure = new ThreadFailed("signature checks")
    time += 9
    await check()
    time += 1
    await expect(check()).rejects.toBe(failure)
  })
})

it("a failed thread is answered with 503, because a retry at once would not help", async () => {
  const answer = refusalResponse(new ThreadFailed("signature checks"), log)
  expect(answer.status).toBe(503)
  expect(answer.headers.get("retry-after")).toBe("2")
  expect(await answer.json()).toMatchObject({ reason: "verification_unavailable", next: { action: "retry" } })
})
