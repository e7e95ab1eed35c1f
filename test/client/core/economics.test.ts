import { describe, expect, test } from "vitest"
import type { Balances } from "../../../client/index.ts"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { failure, setup } from "../../support/client-setup.ts"
import { hour } from "../../support/fake-origin.ts"

const single = { ...hour, ref: "call@00000001", amount: "1000", terms: { calls: 1, reusable: false } }
const hundred = { ...hour, ref: "hundred@00000002", amount: "20000", terms: { calls: 100 } }
const pass = { ...hour, ref: "pass@00000003", amount: "50000" }

async function boughtFor(expectedCalls: number | undefined, cost?: number) {
  const { client, seller, events } = await setup()
  seller.offers = [pass, single, hundred]
  seller.cost = cost
  await client.fetch(`${seller.url}/movies/7`, {}, expectedCalls === undefined ? {} : { expectedCalls })
  return events.flatMap((event) => (event.type === "purchase_started" ? [event.offer.split("@")[0]] : []))
}

describe("an offer is chosen by the expected number of calls", () => {
  test.each([
    [undefined, "call"],
    [1, "call"],
    [19, "call"],
    // Equal prices: one purchase is better than twenty.
    [20, "hundred"],
    [100, "hundred"],
    // Three purchases of a hundred calls cost more than the hour.
    [201, "pass"],
  ])("for %s calls: %s", async (expectedCalls, offer) => {
    expect(await boughtFor(expectedCalls)).toEqual([offer])
  })

  test("a call's cost divides an offer's calls, and a too small offer is refused", async () => {
    expect(await boughtFor(20, 5)).toEqual(["hundred"])
    expect(await boughtFor(21, 5)).toEqual(["hundred"])
    expect(await boughtFor(41, 5)).toEqual(["pass"])
    const { client, seller } = await setup()
    seller.offers = [single]
    seller.cost = 5
    expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("offer_too_small")
    expect(seller.transfers).toEqual([])
  })

  test("the client's expectedCalls applies where a call names none", async () => {
    const { client, seller } = await setup({ expectedCalls: 50 })
    seller.offers = [single, hundred]
    await client.fetch(`${seller.url}/movies/7`)
    expect(seller.transfers[0]?.value).toBe(20_000n)
    await expect(client.fetch(seller.url, {}, { expectedCalls: -1 })).rejects.toThrow("expectedCalls")
  })
})

describe("a network is chosen by the payer's balance", () => {
  const both = { networks: [sepolia.id, baseSepolia.id] }
  async function paidOn(balances: Balances | undefined) {
    const { client, seller, events } = await setup({ ...both, ...(balances && { balances }) })
    seller.offers = [
      { ...hour, ref: "here@00000001" },
      { ...hour, ref: "there@0000002", amount: "20000" },
    ]
    const there = { network: baseSepolia.id, asset: baseSepolia.assets[0].address }
    seller.changeEntry = (entry) => ({ ...entry, ...(entry.amount === "20000" && there) })
    await client.fetch(`${seller.url}/movies/7`).catch(() => undefined)
    return events.find((event) => event.type === "purchase_started")?.network
  }
  const balanceOn =
    (network: string, balance: bigint): Balances =>
    async (query) =>
      query.network === network ? balance : 0n

  test("a network with enough balance is paid on, even at a higher price", async () => {
    expect(await paidOn(undefined)).toBe(sepolia.id)
    expect(await paidOn(balanceOn(baseSepolia.id, 20_000n))).toBe(baseSepolia.id)
    expect(await paidOn(balanceOn(baseSepolia.id, 19_999n))).toBe(sepolia.id)
  })

  test("an unknown balance ranks below enough and above too little", async () => {
    const broken = async (): Promise<never> => {
      throw new Error("no node")
    }
    expect(await paidOn(broken)).toBe(sepolia.id)
    expect(await paidOn(async (query) => (query.network === sepolia.id ? 0n : broken()))).toBe(baseSepolia.id)
    expect(await paidOn(async (query) => (query.network === baseSepolia.id ? 20_000n : broken()))).toBe(
      baseSepolia.id,
    )
  })

  test("no balance is read when there is one entry", async () => {
    let asked = 0
    const { client, seller } = await setup({
      ...both,
      balances: async () => {
        asked++
        return 0n
      },
    })
    await client.fetch(`${seller.url}/movies/7`)
    expect(asked).toBe(0)
    expect(seller.transfers).toHaveLength(1)
  })
})
