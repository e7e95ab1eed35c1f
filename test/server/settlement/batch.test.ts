import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { aggregators } from "../../../server/core/batch.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { openSettlementRig, price, type Sale, type SettlementRig } from "../../support/settlement-rig.ts"

const [settler, multicall3] = aggregators.map(({ address }) => address)
/** Code that never ends. */
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
/** The target of each transaction in flight and the number of its payments. */
const routes = async () =>
  (await rig.inFlight()).map(({ transaction, redemptions }) => [transaction.to, redemptions.length])
const gasUsed = async (hash: string) =>
  BigInt(((await node.request("eth_getTransactionReceipt", [hash])) as { gasUsed: string }).gasUsed)

describe("payments that are due together", () => {
  it("SET-20: settle fifty in one transaction, each by a Transfer of its own", async () => {
    const mined: [bigint, number][] = []
    const settlement = rig.open({ onMined: (...each) => void mined.push(each) })
    const [alone] = await rig.sell(1)
    await rig.settleAll(settlement)
    await rig.mine()
    await rig.settleAll(settlement)
    const sales = await rig.sell(50)
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([[settler, 50]])
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await rig.inFlight()).toEqual([])
    const rows = await Promise.all(sales.map(rig.row))
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(["paid"]))
    expect(new Set(rows.map(({ evidence }) => evidence?.transactionHash)).size).toBe(1)
    expect(new Set(rows.map(({ evidence }) => evidence?.logIndex)).size).toBe(50)
    expect(await rig.received()).toBe(51n * price)
    const gasAlone = await gasUsed((await rig.row(alone!)).evidence!.transactionHash)
    const gasTogether = await gasUsed(rows[0]!.evidence!.transactionHash)
    expect(gasTogether * 100n).toBeLessThan(gasAlone * 50n * 70n)
    expect(mined).toEqual([
      [gasAlone, 1],
      [gasTogether, 50],
    ])
  })

  it("fill as many transactions as needed, most urgent first", async () => {
    const settlement = rig.open({}, { batchSize: 4 })
    const sales = await rig.sell(9)
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([
      [settler, 4],
      [settler, 4],
      [rig.asset, 1],
    ])
    await rig.mine()
    await rig.settleAll(settlement)
    expect(new Set(await states(sales))).toEqual(new Set(["paid"]))
  })

  it("SET-25: settle although one payer in the batch turns into an endless loop", async () => {
    const settlement = rig.open()
    const sales = await rig.sell(50)
    await rig.settleAll(settlement)
    const [batch] = await rig.inFlight()
    const [hostile, ...others] = [sales[20]!, ...sales.slice(0, 20), ...sales.slice(21)]
    await rig.setCode(hostile.payer, endlessLoop)
    await rig.mine()
    await rig.settleAll(settlement)
    for (const sale of others)
      expect(await rig.row(sale)).toMatchObject({
        state: "paid",
        evidence: { transactionHash: batch!.transaction.versions[0]!.hash },
      })
    expect(await rig.received()).toBe(49n * price)
    for (let round = 0; round < 4; round += 1) {
      await rig.mine()
      rig.advanceClock(10)
      await rig.settleAll(settlement)
    }
    expect(await rig.row(hostile)).toMatchObject({ state: "failed", failure: "contract_payer" })
    expect(await rig.chain.nonceOf(rig.relayer.address)).toBe(1)
  })

  it("are settled although one fails inside the batch; that one is retried alone", async () => {
    const settlement = rig.open()
    const [poor, ...others] = (await rig.sell(3)) as [Sale, Sale, Sale]
    await rig.settleAll(settlement)
    const raw = (await rig.inFlight())[0]!.transaction.versions[0]!
    await node.request("anvil_dropTransaction", [raw.hash])
    await rig.emptyBalance(poor)
    await rig.chain.send(raw.raw)
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states(others)).toEqual(["paid", "paid"])
    expect(await rig.row(poor)).toMatchObject({ state: "accepted", attempts: 1 })
    await rig.refill(poor)
    const later = await rig.sell(2)
    rig.advanceClock(60)
    await rig.settleAll(settlement)
    expect((await routes()).sort()).toEqual(
      [
        [rig.asset, 1],
        [settler, 2],
      ].sort(),
    )
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states([poor, ...later])).toEqual(["paid", "paid", "paid"])
  })

  it("are retried one by one when a batch reverts as a whole", async () => {
    const settlement = rig.open()
    const sales = await rig.sell(3)
    await rig.settleAll(settlement)
    await rig.setCode(settler!, "0x5f5ffd")
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([1, 1, 1].map((count) => [rig.asset, count]))
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states(sales)).toEqual(["paid", "paid", "paid"])
    expect((await rig.row(sales[0]!)).attempts).toBe(1)
  })

  it("ask for no more gas than the relayer's balance covers", async () => {
    const settlement = rig.open()
    await rig.sell(5)
    const { maxFeePerGas } = await rig.chain.fees()
    await node.fund(rig.relayer.address, 450_000n * maxFeePerGas)
    await rig.settleAll(settlement)
    const gas = (await rig.inFlight()).map(({ transaction }) => transaction.gas)
    expect(gas.length).toBeGreaterThan(1)
    for (const each of gas) expect(each).toBeLessThanOrEqual(450_000n)
  })
})

describe("payments that arrive one after the other", () => {
  it("send the first at once and batch the rest until it is mined", async () => {
    const settlement = rig.open()
    const [first, ...later] = await rig.payers(4)
    await rig.redeemAll([first!])
    await rig.settleAll(settlement)
    const sales = await rig.redeemAll(later)
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([[rig.asset, 1]])
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([[settler, 3]])
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states(sales)).toEqual(["paid", "paid", "paid"])
  })

  it("wait no longer than a block", async () => {
    const settlement = rig.open()
    const [first, ...later] = await rig.payers(3)
    await rig.redeemAll([first!])
    await rig.settleAll(settlement)
    await rig.redeemAll(later)
    rig.advanceClock(sepolia.blockSeconds - 1)
    await rig.settleAll(settlement)
    expect(await routes()).toHaveLength(1)
    rig.advanceClock(1)
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([
      [rig.asset, 1],
      [settler, 2],
    ])
  })

  it("do not wait when one of them is settled first", async () => {
    const settlement = rig.open()
    const [first, second, third] = await rig.payers(3)
    await rig.redeemAll([first!])
    await rig.settleAll(settlement)
    await rig.redeemAll([second!])
    await rig.redeem(third!, { policy: "first" })
    await rig.settleAll(settlement)
    expect(await routes()).toHaveLength(2)
  })

  it("do not wait when the batch is full", async () => {
    const settlement = rig.open({}, { batchSize: 3 })
    const [first, ...later] = await rig.payers(4)
    await rig.redeemAll([first!])
    await rig.settleAll(settlement)
    await rig.redeemAll(later)
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([
      [rig.asset, 1],
      [settler, 3],
    ])
  })
})

describe("without the Settler", () => {
  beforeEach(() => rig.setCode(settler!, "0x"))

  it("batches go through Multicall3", async () => {
    const settlement = rig.open()
    const sales = await rig.sell(5)
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([[multicall3, 5]])
    await rig.mine()
    await rig.settleAll(settlement)
    expect(new Set(await states(sales))).toEqual(new Set(["paid"]))
  })

  it("SET-25: a payer that got code after its simulation is sent alone", async () => {
    const sales = await rig.sell(4)
    const settlement = rig.open({
      chain: {
        ...rig.chain,
        async estimateGas(call) {
          const gas = await rig.chain.estimateGas(call)
          // An ERC-1271 signature check that succeeds, so that the transfer succeeds.
          await rig.setCode(sales[1]!.payer, "0x631626ba7e60e01b5f5260205ff3")
          return gas
        },
      },
    })
    await rig.settleAll(settlement)
    expect((await routes()).toSorted()).toEqual(
      [
        [rig.asset, 1],
        [multicall3, 3],
      ].toSorted(),
    )
  })

  it("SET-29: a node's absurdly low gas estimate does not stop settlement", async () => {
    const chain = { ...rig.chain, estimateGas: async () => 21_000n }
    const settlement = rig.open({ chain })
    const sales = [...(await rig.sell(1))]
    await rig.settleAll(settlement)
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states(sales)).toEqual(["paid"])
  })

  it("a batch with a failing payment is halved until each part succeeds", async () => {
    const settlement = rig.open()
    const [rich, ...others] = (await rig.sell(4)) as [Sale, Sale, Sale, Sale]
    // The balance covers either payment, but not both.
    const twice = await rig.redeem(rich.account)
    await rig.settleAll(settlement)
    expect((await routes()).map(([, count]) => count)).toEqual([3, 2])
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states([rich, ...others])).toEqual(["paid", "paid", "paid", "paid"])
    expect(await rig.row(twice)).toMatchObject({ state: "accepted", attempts: 1 })
  })

  it("and without Multicall3 each payment has its own transaction", async () => {
    await rig.setCode(multicall3!, "0x")
    const settlement = rig.open()
    const sales = await rig.sell(3)
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([1, 1, 1].map((count) => [rig.asset, count]))
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states(sales)).toEqual(["paid", "paid", "paid"])
  })

  it("the Settler is used as soon as it is deployed", async () => {
    const settlement = rig.open()
    const code = await node.request("eth_getCode", [multicall3, "latest"])
    await rig.sell(2)
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([[multicall3, 2]])
    await rig.mine()
    await rig.setCode(settler!, code as `0x${string}`)
    await rig.sell(2)
    rig.advanceClock(30)
    await rig.settleAll(settlement)
    expect(await routes()).toEqual([[settler, 2]])
  })
})
