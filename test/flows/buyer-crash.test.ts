import { join } from "node:path"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { afterAll, beforeAll, expect, it } from "vitest"
import { createClient } from "../../client/index.ts"
import { createFileStore } from "../../client/node/index.ts"
import { type BuyerOrder, type BuyerStep, runBuyers } from "../support/buyers.ts"
import { openService, type TestService } from "../support/service.ts"

let service: TestService
/** Seconds by which the clock of the service is ahead. */
let serviceAhead = 0
beforeAll(async () => {
  service = await openService({ issuer: { now: () => Math.floor(Date.now() / 1000) + serviceAhead } })
})
afterAll(() => service.close())

const price = 10_000n

/** A buyer with money and a store file of its own. */
async function buyer(changes: Partial<BuyerOrder> = {}) {
  const key = generatePrivateKey()
  const account = privateKeyToAccount(key)
  const { address } = account
  await service.chain.mint(address, 100n * price)
  const order: BuyerOrder = {
    file: join(service.folder, `${address}.db`),
    key,
    url: `${service.url}/movies/7`,
    budget: { perPurchase: "0.01", perDay: "0.01" },
    ...changes,
  }
  /** The next run after the killed one. */
  const resume = async (aheadSeconds = 0): Promise<{ status: number; day: string; grants: number }> => {
    const store = await createFileStore({ file: order.file })
    const now = (): number => Date.now() / 1000 + aheadSeconds
    const client = createClient({ account, budget: order.budget, networks: ["eip155:11155111"], store, now })
    const { status } = await client.fetch(order.url)
    const [{ day }, grants] = [await client.spent(), await client.grants()]
    store.close()
    return { status, day, grants: grants.length }
  }
  const paid = async (): Promise<bigint> => {
    await expect
      .poll(() => service.balanceOf(address), { timeout: 20_000, interval: 50 })
      .toBeLessThan(100n * price)
    return 100n * price - (await service.balanceOf(address))
  }
  return { order, resume, paid }
}

it("CLI-14, IDM-01, IDM-02: a buyer killed at any step resumes with one payment", async () => {
  const steps: BuyerStep[] = ["reserved", "signed", "kept", "sent", "added"]
  const ends = await Promise.all(
    steps.map(async (dieAt) => {
      const { order, resume, paid } = await buyer({ dieAt })
      const [killed] = await runBuyers(order)
      // The budget allows one purchase: a forgotten payment would cause a second, a lost one a refusal.
      return { dieAt, killed, ...(await resume()), paid: await paid() }
    }),
  )
  const resumed = { killed: undefined, status: 200, day: "0.01", grants: 1, paid: price }
  expect(ends).toEqual(steps.map((dieAt) => ({ dieAt, ...resumed })))
  expect(await service.balanceOf(service.payTo.address)).toBe(price * BigInt(steps.length))
})

it("CLI-14: a buyer killed between a refresh and its answer keeps its grant", async () => {
  const { order, resume, paid } = await buyer()
  expect(await runBuyers(order)).toEqual([["200"]])
  expect(await runBuyers({ ...order, aheadSeconds: 57, dieAt: "refreshed" })).toEqual([undefined])
  // For ten seconds the service repeats the lost answer to every holder of the old token.
  serviceAhead = 11
  expect(await resume(57)).toEqual({ status: 200, day: "0.01", grants: 1 })
  expect(await paid()).toBe(price)
})

it("CLI-14: the key of a bound purchase survives a kill of its buyer", async () => {
  const { order, resume } = await buyer({ dpop: true, dieAt: "sent" })
  expect(await runBuyers(order)).toEqual([undefined])
  expect(await resume()).toEqual({ status: 200, day: "0.01", grants: 1 })
})
