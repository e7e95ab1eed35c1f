import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { aggregators } from "../../../server/core/batch.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { openTill, price, type Sale, type Till } from "../../support/till.ts"

const [settler, multicall3] = aggregators.map(({ address }) => address)
/** Code that never ends, whatever it is called with. */
const endlessLoop = "0x5b5f56"

let node: LocalChain
let snapshot: unknown
let till: Till
beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  await node.request("evm_setAutomine", [false])
})
afterAll(() => node?.stop())
beforeEach(async () => {
  if (snapshot !== undefined) await node.request("evm_revert", [snapshot])
  snapshot = await node.request("evm_snapshot")
  till = await openTill(node)
})

const states = (sales: readonly Sale[]) =>
  Promise.all(sales.map(async (sale) => (await till.row(sale)).state))
/** Where each transaction on its way goes, and how many ride in it. */
const routes = async () =>
  (await till.flying()).map(({ transaction, redemptions }) => [transaction.to, redemptions.length])
const gasUsed = async (hash: string) =>
  BigInt(((await node.request("eth_getTransactionReceipt", [hash])) as { gasUsed: string }).gasUsed)

describe("payments that are due together", () => {
  it("SET-20: fifty ride in one transaction, and each is paid by a Transfer of its own", async () => {
    const settlement = till.open()
    const [alone] = await till.sell(1)
    await till.settle(settlement)
    await till.mine()
    await till.settle(settlement)
    const sales = await till.sell(50)
    await till.settle(settlement)
    expect(await routes()).toEqual([[settler, 50]])
    await till.mine()
    await till.settle(settlement)
    expect(await till.flying()).toEqual([])
    const rows = await Promise.all(sales.map(till.row))
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(["paid"]))
    expect(new Set(rows.map(({ evidence }) => evidence?.transactionHash)).size).toBe(1)
    expect(new Set(rows.map(({ evidence }) => evidence?.logIndex)).size).toBe(50)
    expect(await till.received()).toBe(51n * price)
    const gasAlone = await gasUsed((await till.row(alone!)).evidence!.transactionHash)
    expect((await gasUsed(rows[0]!.evidence!.transactionHash)) * 100n).toBeLessThan(gasAlone * 50n * 70n)
  })

  it("fill as many transactions as their number needs, the most urgent first", async () => {
    const settlement = till.open({}, { batchSize: 4 })
    const sales = await till.sell(9)
    await till.settle(settlement)
    expect(await routes()).toEqual([
      [settler, 4],
      [settler, 4],
      [till.asset, 1],
    ])
    await till.mine()
    await till.settle(settlement)
    expect(new Set(await states(sales))).toEqual(new Set(["paid"]))
  })

  it("SET-25: a payer who turns into an endless loop on the way hurts none of the other 49", async () => {
    const settlement = till.open()
    const sales = await till.sell(50)
    await till.settle(settlement)
    const [batch] = await till.flying()
    const [hostile, ...others] = [sales[20]!, ...sales.slice(0, 20), ...sales.slice(21)]
    await till.setCode(hostile.payer, endlessLoop)
    await till.mine()
    await till.settle(settlement)
    for (const sale of others)
      expect(await till.row(sale)).toMatchObject({
        state: "paid",
        evidence: { transactionHash: batch!.transaction.versions[0]!.hash },
      })
    expect(await till.received()).toBe(49n * price)
    for (let look = 0; look < 4; look += 1) {
      await till.mine()
      till.pass(10)
      await till.settle(settlement)
    }
    expect(await till.row(hostile)).toMatchObject({ state: "failed", failure: "contract_payer" })
    expect(await till.chain.nonceOf(till.relayer.address)).toBe(1)
  })

  it("a payment that failed inside is tried alone, and the others are paid", async () => {
    const settlement = till.open()
    const [poor, ...others] = (await till.sell(3)) as [Sale, Sale, Sale]
    await till.settle(settlement)
    const raw = (await till.flying())[0]!.transaction.versions[0]!
    await node.request("anvil_dropTransaction", [raw.hash])
    await till.drain(poor)
    await till.chain.send(raw.raw)
    await till.mine()
    await till.settle(settlement)
    expect(await states(others)).toEqual(["paid", "paid"])
    expect(await till.row(poor)).toMatchObject({ state: "accepted", attempts: 1 })
    await till.refill(poor)
    const later = await till.sell(2)
    till.pass(60)
    await till.settle(settlement)
    expect((await routes()).sort()).toEqual(
      [
        [till.asset, 1],
        [settler, 2],
      ].sort(),
    )
    await till.mine()
    await till.settle(settlement)
    expect(await states([poor, ...later])).toEqual(["paid", "paid", "paid"])
  })

  it("a batch that reverts as a whole is tried again one by one", async () => {
    const settlement = till.open()
    const sales = await till.sell(3)
    await till.settle(settlement)
    await till.setCode(settler!, "0x5f5ffd")
    await till.mine()
    await till.settle(settlement)
    expect(await routes()).toEqual([1, 1, 1].map((riders) => [till.asset, riders]))
    await till.mine()
    await till.settle(settlement)
    expect(await states(sales)).toEqual(["paid", "paid", "paid"])
    expect((await till.row(sales[0]!)).attempts).toBe(1)
  })

  it("a batch asks for no more gas than the relayer can vouch for", async () => {
    const settlement = till.open()
    await till.sell(5)
    const { maxFeePerGas } = await till.chain.fees()
    await node.fund(till.relayer.address, 450_000n * maxFeePerGas)
    await till.settle(settlement)
    const gas = (await till.flying()).map(({ transaction }) => transaction.gas)
    expect(gas.length).toBeGreaterThan(1)
    for (const each of gas) expect(each).toBeLessThanOrEqual(450_000n)
  })
})

describe("payments that come one after the other", () => {
  it("the first goes at once; those after it wait together until it is in a block", async () => {
    const settlement = till.open()
    const [first, ...later] = await till.customers(4)
    await till.redeemAll([first!])
    await till.settle(settlement)
    const sales = await till.redeemAll(later)
    await till.settle(settlement)
    expect(await routes()).toEqual([[till.asset, 1]])
    await till.mine()
    await till.settle(settlement)
    expect(await routes()).toEqual([[settler, 3]])
    await till.mine()
    await till.settle(settlement)
    expect(await states(sales)).toEqual(["paid", "paid", "paid"])
  })

  it("none waits for longer than a block takes", async () => {
    const settlement = till.open()
    const [first, ...later] = await till.customers(3)
    await till.redeemAll([first!])
    await till.settle(settlement)
    await till.redeemAll(later)
    till.pass(sepolia.blockSeconds - 1)
    await till.settle(settlement)
    expect(await routes()).toHaveLength(1)
    till.pass(1)
    await till.settle(settlement)
    expect(await routes()).toEqual([
      [till.asset, 1],
      [settler, 2],
    ])
  })

  it("nobody waits when a buyer waits for his money to be in before he gets a token", async () => {
    const settlement = till.open()
    const [first, second, third] = await till.customers(3)
    await till.redeemAll([first!])
    await till.settle(settlement)
    await till.redeemAll([second!])
    await till.redeem(third!, { policy: "first" })
    await till.settle(settlement)
    expect(await routes()).toHaveLength(2)
  })

  it("a full batch does not wait", async () => {
    const settlement = till.open({}, { batchSize: 3 })
    const [first, ...later] = await till.customers(4)
    await till.redeemAll([first!])
    await till.settle(settlement)
    await till.redeemAll(later)
    await till.settle(settlement)
    expect(await routes()).toEqual([
      [till.asset, 1],
      [settler, 3],
    ])
  })
})

describe("where the Settler is not deployed", () => {
  beforeEach(() => till.setCode(settler!, "0x"))

  it("Multicall3 takes its place", async () => {
    const settlement = till.open()
    const sales = await till.sell(5)
    await till.settle(settlement)
    expect(await routes()).toEqual([[multicall3, 5]])
    await till.mine()
    await till.settle(settlement)
    expect(new Set(await states(sales))).toEqual(new Set(["paid"]))
  })

  it("SET-25: a payer who got code after its simulation goes alone", async () => {
    const sales = await till.sell(4)
    const settlement = till.open({
      chain: {
        ...till.chain,
        async estimateGas(call) {
          const gas = await till.chain.estimateGas(call)
          // ERC-1271 that says yes: the transfer goes on to succeed.
          await till.setCode(sales[1]!.payer, "0x631626ba7e60e01b5f5260205ff3")
          return gas
        },
      },
    })
    await till.settle(settlement)
    expect((await routes()).toSorted()).toEqual(
      [
        [till.asset, 1],
        [multicall3, 3],
      ].toSorted(),
    )
  })

  it("SET-29: a node that says that hardly any gas is needed holds up nobody", async () => {
    const chain = { ...till.chain, estimateGas: async () => 21_000n }
    const settlement = till.open({ chain })
    const sales = [...(await till.sell(1))]
    await till.settle(settlement)
    await till.mine()
    await till.settle(settlement)
    expect(await states(sales)).toEqual(["paid"])
  })

  it("a batch in which one would starve or fail is halved until it goes through", async () => {
    const settlement = till.open()
    const [rich, ...others] = (await till.sell(4)) as [Sale, Sale, Sale, Sale]
    // Its balance covers either payment, but not both.
    const twice = await till.redeem(rich.account)
    await till.settle(settlement)
    expect((await routes()).map(([, riders]) => riders)).toEqual([3, 2])
    await till.mine()
    await till.settle(settlement)
    expect(await states([rich, ...others])).toEqual(["paid", "paid", "paid", "paid"])
    expect(await till.row(twice)).toMatchObject({ state: "accepted", attempts: 1 })
  })

  it("nor Multicall3, every payment has a transaction of its own", async () => {
    await till.setCode(multicall3!, "0x")
    const settlement = till.open()
    const sales = await till.sell(3)
    await till.settle(settlement)
    expect(await routes()).toEqual([1, 1, 1].map((riders) => [till.asset, riders]))
    await till.mine()
    await till.settle(settlement)
    expect(await states(sales)).toEqual(["paid", "paid", "paid"])
  })

  it("it is used from the moment that somebody deploys it", async () => {
    const settlement = till.open()
    const code = await node.request("eth_getCode", [multicall3, "latest"])
    await till.sell(2)
    await till.settle(settlement)
    expect(await routes()).toEqual([[multicall3, 2]])
    await till.mine()
    await till.setCode(settler!, code as `0x${string}`)
    await till.sell(2)
    till.pass(30)
    await till.settle(settlement)
    expect(await routes()).toEqual([[settler, 2]])
  })
})
