import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { aggregators } from "../../../server/core/batch.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { openSettlementRig, price, type Sale, type SettlementRig } from "../../support/settlement-rig.ts"

const [settler, multicall3] = aggregators.map(({ address }) => address)
/** Code that never ends, whatever it is called with. */
const endlessLoop = "0x5b5f56"

let node: LocalChain
let snapshot: unknown
let rig: SettlementRig
beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  await node.request("evm_setAutomine", [false])
})
afterAll(() => node?.stop())
beforeEach(async () => {
  if (snapshot !== undefined) await node.request("evm_revert", [snapshot])
  snapshot = await node.request("evm_snapshot")
  rig = await openSettlementRig(node)
})

const states = (sales: readonly Sale[]) => Promise.all(sales.map(async (sale) => (await rig.row(sale)).state))
/** Where each transaction on its way goes, and how many ride in it. */
const routes = async () =>
  (await rig.flying()).map(({ transaction, redemptions }) => [transaction.to, redemptions.length])
const gasUsed = async (hash: string) =>
  BigInt(((await node.request("eth_getTransactionReceipt", [hash])) as { gasUsed: string }).gasUsed)

describe("payments that are due together", () => {
  it("SET-20: fifty ride in one transaction, and each is paid by a Transfer of its own", async () => {
    const settlement = rig.open()
    const [alone] = await rig.sell(1)
    await rig.settle(settlement)
    await rig.mine()
    await rig.settle(settlement)
    const sales = await rig.sell(50)
    await rig.settle(settlement)
    expect(await routes()).toEqual([[settler, 50]])
    await rig.mine()
    await rig.settle(settlement)
    expect(await rig.flying()).toEqual([])
    const rows = await Promise.all(sales.map(rig.row))
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(["paid"]))
    expect(new Set(rows.map(({ evidence }) => evidence?.transactionHash)).size).toBe(1)
    expect(new Set(rows.map(({ evidence }) => evidence?.logIndex)).size).toBe(50)
    expect(await rig.received()).toBe(51n * price)
    const gasAlone = await gasUsed((await rig.row(alone!)).evidence!.transactionHash)
    expect((await gasUsed(rows[0]!.evidence!.transactionHash)) * 100n).toBeLessThan(gasAlone * 50n * 70n)
  })

  it("fill as many transactions as their number needs, the most urgent first", async () => {
    const settlement = rig.open({}, { batchSize: 4 })
    const sales = await rig.sell(9)
    await rig.settle(settlement)
    expect(await routes()).toEqual([
      [settler, 4],
      [settler, 4],
      [rig.asset, 1],
    ])
    await rig.mine()
    await rig.settle(settlement)
    expect(new Set(await states(sales))).toEqual(new Set(["paid"]))
  })

  it("SET-25: a payer who turns into an endless loop on the way hurts none of the other 49", async () => {
    const settlement = rig.open()
    const sales = await rig.sell(50)
    await rig.settle(settlement)
    const [batch] = await rig.flying()
    const [hostile, ...others] = [sales[20]!, ...sales.slice(0, 20), ...sales.slice(21)]
    await rig.setCode(hostile.payer, endlessLoop)
    await rig.mine()
    await rig.settle(settlement)
    for (const sale of others)
      expect(await rig.row(sale)).toMatchObject({
        state: "paid",
        evidence: { transactionHash: batch!.transaction.versions[0]!.hash },
      })
    expect(await rig.received()).toBe(49n * price)
    for (let look = 0; look < 4; look += 1) {
      await rig.mine()
      rig.pass(10)
      await rig.settle(settlement)
    }
    expect(await rig.row(hostile)).toMatchObject({ state: "failed", failure: "contract_payer" })
    expect(await rig.chain.nonceOf(rig.relayer.address)).toBe(1)
  })

  it("a payment that failed inside is tried alone, and the others are paid", async () => {
    const settlement = rig.open()
    const [poor, ...others] = (await rig.sell(3)) as [Sale, Sale, Sale]
    await rig.settle(settlement)
    const raw = (await rig.flying())[0]!.transaction.versions[0]!
    await node.request("anvil_dropTransaction", [raw.hash])
    await rig.drain(poor)
    await rig.chain.send(raw.raw)
    await rig.mine()
    await rig.settle(settlement)
    expect(await states(others)).toEqual(["paid", "paid"])
    expect(await rig.row(poor)).toMatchObject({ state: "accepted", attempts: 1 })
    await rig.refill(poor)
    const later = await rig.sell(2)
    rig.pass(60)
    await rig.settle(settlement)
    expect((await routes()).sort()).toEqual(
      [
        [rig.asset, 1],
        [settler, 2],
      ].sort(),
    )
    await rig.mine()
    await rig.settle(settlement)
    expect(await states([poor, ...later])).toEqual(["paid", "paid", "paid"])
  })

  it("a batch that reverts as a whole is tried again one by one", async () => {
    const settlement = rig.open()
    const sales = await rig.sell(3)
    await rig.settle(settlement)
    await rig.setCode(settler!, "0x5f5ffd")
    await rig.mine()
    await rig.settle(settlement)
    expect(await routes()).toEqual([1, 1, 1].map((riders) => [rig.asset, riders]))
    await rig.mine()
    await rig.settle(settlement)
    expect(await states(sales)).toEqual(["paid", "paid", "paid"])
    expect((await rig.row(sales[0]!)).attempts).toBe(1)
  })

  it("a batch asks for no more gas than the relayer can vouch for", async () => {
    const settlement = rig.open()
    await rig.sell(5)
    const { maxFeePerGas } = await rig.chain.fees()
    await node.fund(rig.relayer.address, 450_000n * maxFeePerGas)
    await rig.settle(settlement)
    const gas = (await rig.flying()).map(({ transaction }) => transaction.gas)
    expect(gas.length).toBeGreaterThan(1)
    for (const each of gas) expect(each).toBeLessThanOrEqual(450_000n)
  })
})

describe("payments that come one after the other", () => {
  it("the first goes at once; those after it wait together until it is in a block", async () => {
    const settlement = rig.open()
    const [first, ...later] = await rig.customers(4)
    await rig.redeemAll([first!])
    await rig.settle(settlement)
    const sales = await rig.redeemAll(later)
    await rig.settle(settlement)
    expect(await routes()).toEqual([[rig.asset, 1]])
    await rig.mine()
    await rig.settle(settlement)
    expect(await routes()).toEqual([[settler, 3]])
    await rig.mine()
    await rig.settle(settlement)
    expect(await states(sales)).toEqual(["paid", "paid", "paid"])
  })

  it("none waits for longer than a block takes", async () => {
    const settlement = rig.open()
    const [first, ...later] = await rig.customers(3)
    await rig.redeemAll([first!])
    await rig.settle(settlement)
    await rig.redeemAll(later)
    rig.pass(sepolia.blockSeconds - 1)
    await rig.settle(settlement)
    expect(await routes()).toHaveLength(1)
    rig.pass(1)
    await rig.settle(settlement)
    expect(await routes()).toEqual([
      [rig.asset, 1],
      [settler, 2],
    ])
  })

  it("nobody waits when a buyer waits for his money to be in before he gets a token", async () => {
    const settlement = rig.open()
    const [first, second, third] = await rig.customers(3)
    await rig.redeemAll([first!])
    await rig.settle(settlement)
    await rig.redeemAll([second!])
    await rig.redeem(third!, { policy: "first" })
    await rig.settle(settlement)
    expect(await routes()).toHaveLength(2)
  })

  it("a full batch does not wait", async () => {
    const settlement = rig.open({}, { batchSize: 3 })
    const [first, ...later] = await rig.customers(4)
    await rig.redeemAll([first!])
    await rig.settle(settlement)
    await rig.redeemAll(later)
    await rig.settle(settlement)
    expect(await routes()).toEqual([
      [rig.asset, 1],
      [settler, 3],
    ])
  })
})

describe("where the Settler is not deployed", () => {
  beforeEach(() => rig.setCode(settler!, "0x"))

  it("Multicall3 takes its place", async () => {
    const settlement = rig.open()
    const sales = await rig.sell(5)
    await rig.settle(settlement)
    expect(await routes()).toEqual([[multicall3, 5]])
    await rig.mine()
    await rig.settle(settlement)
    expect(new Set(await states(sales))).toEqual(new Set(["paid"]))
  })

  it("SET-25: a payer who got code after its simulation goes alone", async () => {
    const sales = await rig.sell(4)
    const settlement = rig.open({
      chain: {
        ...rig.chain,
        async estimateGas(call) {
          const gas = await rig.chain.estimateGas(call)
          // ERC-1271 that says yes: the transfer goes on to succeed.
          await rig.setCode(sales[1]!.payer, "0x631626ba7e60e01b5f5260205ff3")
          return gas
        },
      },
    })
    await rig.settle(settlement)
    expect((await routes()).toSorted()).toEqual(
      [
        [rig.asset, 1],
        [multicall3, 3],
      ].toSorted(),
    )
  })

  it("SET-29: a node that says that hardly any gas is needed holds up nobody", async () => {
    const chain = { ...rig.chain, estimateGas: async () => 21_000n }
    const settlement = rig.open({ chain })
    const sales = [...(await rig.sell(1))]
    await rig.settle(settlement)
    await rig.mine()
    await rig.settle(settlement)
    expect(await states(sales)).toEqual(["paid"])
  })

  it("a batch in which one would starve or fail is halved until it goes through", async () => {
    const settlement = rig.open()
    const [rich, ...others] = (await rig.sell(4)) as [Sale, Sale, Sale, Sale]
    // Its balance covers either payment, but not both.
    const twice = await rig.redeem(rich.account)
    await rig.settle(settlement)
    expect((await routes()).map(([, riders]) => riders)).toEqual([3, 2])
    await rig.mine()
    await rig.settle(settlement)
    expect(await states([rich, ...others])).toEqual(["paid", "paid", "paid", "paid"])
    expect(await rig.row(twice)).toMatchObject({ state: "accepted", attempts: 1 })
  })

  it("nor Multicall3, every payment has a transaction of its own", async () => {
    await rig.setCode(multicall3!, "0x")
    const settlement = rig.open()
    const sales = await rig.sell(3)
    await rig.settle(settlement)
    expect(await routes()).toEqual([1, 1, 1].map((riders) => [rig.asset, riders]))
    await rig.mine()
    await rig.settle(settlement)
    expect(await states(sales)).toEqual(["paid", "paid", "paid"])
  })

  it("it is used from the moment that somebody deploys it", async () => {
    const settlement = rig.open()
    const code = await node.request("eth_getCode", [multicall3, "latest"])
    await rig.sell(2)
    await rig.settle(settlement)
    expect(await routes()).toEqual([[multicall3, 2]])
    await rig.mine()
    await rig.setCode(settler!, code as `0x${string}`)
    await rig.sell(2)
    rig.pass(30)
    await rig.settle(settlement)
    expect(await routes()).toEqual([[settler, 2]])
  })
})
