import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { auditBooks } from "../../../server/books/audit.ts"
import { RequestRefused } from "../../../server/ports/chain.ts"
import {
  type Settlement,
  type SettlementDeps,
  settlementSteps,
} from "../../../server/settlement/settlement.ts"
import { exactEip3009 } from "../../../shared/schemes/exact-eip3009.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { openSettlementRig, price, type Sale, type SettlementRig } from "../../support/settlement-rig.ts"

let node: LocalChain
let rig: SettlementRig
beforeEach(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  await node.request("evm_setAutomine", [false])
  rig = await openSettlementRig(node)
})
afterEach(async () => {
  await rig.store.close()
  await node.stop()
})

const states = async (sales: readonly Sale[]) => {
  const rows = await Promise.all(sales.map((sale) => rig.row(sale)))
  return [...new Set(rows.map(({ state }) => state))]
}
const ends = async (sales: readonly Sale[]) => {
  const found = await Promise.all(sales.map(({ key }) => rig.store.recall({ key })))
  return [...new Set(found.map((each) => each?.grant.ended?.reason ?? null))]
}
const lossesOf = async () => (await rig.store.exposure()).losses.map(({ nominal }) => nominal)

/** One more block and the seconds after which every waiting row is due. */
async function nextBlock(by: Settlement, seconds = 10): Promise<void> {
  await rig.mine()
  rig.advanceClock(seconds)
  await rig.settleAll(by)
}

/** Blocks until nothing waits or rides. */
async function finish(by: Settlement, sales: readonly Sale[]): Promise<void> {
  for (let block = 0; block < 40 && !(await states(sales)).every((state) => state === "paid"); block++)
    await nextBlock(by)
  expect(await states(sales)).toEqual(["paid"])
}

async function expectAllPaid(by: Settlement, sales: readonly Sale[]): Promise<void> {
  await finish(by, sales)
  expect(await ends(sales)).toEqual([null])
  expect(await rig.received()).toBe(price * BigInt(sales.length))
  expect(await rig.store.exposure()).toMatchObject({
    unsettled: 0n,
    lost: 0n,
    queued: 0,
    losses: [],
    open: [],
  })
  expect(await auditBooks(rig.store)).toEqual([])
}

/** A payment that the asset refuses in two blocks. */
async function suspendOne(by: Settlement): Promise<Sale> {
  const [sale] = await rig.sell(1)
  if (!sale) throw new Error("nothing was sold")
  await rig.emptyBalance(sale)
  await rig.settleAll(by)
  await nextBlock(by)
  expect(await rig.row(sale)).toMatchObject({ state: "suspended", failure: "insufficient_funds" })
  return sale
}

describe("a refusal for a moment", () => {
  it("SET-52: a pause of one block with 20 sales in flight fails none of them", async () => {
    const by = rig.open()
    const sales = await rig.sell(20)
    await rig.settleAll(by)
    expect(await states(sales)).toEqual(["sent"])
    await rig.switchAsset("pause")
    // Nine seconds in the same block are no evidence.
    for (let second = 0; second < 9; second++) {
      await rig.settleAll(by)
      rig.advanceClock(1)
      expect(await states(sales)).toEqual(["accepted"])
    }
    expect(await ends(sales)).toEqual([null])
    await rig.switchAsset("unpause")
    await expectAllPaid(by, sales)
  })

  it("SET-52: a pause of minutes suspends 20 sales, which are all paid after it", async () => {
    const by = rig.open()
    const sales = await rig.sell(20)
    await rig.switchAsset("pause")
    await rig.settleAll(by)
    for (let block = 0; block < 5; block++) await nextBlock(by, 12)
    expect(await states(sales)).toEqual(["suspended"])
    expect(await rig.store.exposure()).toMatchObject({ unsettled: 0n, lost: price * 20n, queued: 0 })
    expect(await auditBooks(rig.store)).toEqual([])
    await rig.switchAsset("unpause")
    await expectAllPaid(by, sales)
    const [settled] = await Promise.all(sales.map(({ key }) => rig.store.history({ key })))
    expect(settled?.entries.map(({ kind }) => kind)).toEqual(["redeemed", "suspended", "settled", "resumed"])
  })

  it("SET-52: payers blacklisted for six seconds pay in the end", async () => {
    const by = rig.open()
    const sales = await rig.sell(5)
    for (const { payer } of sales) await rig.blacklist(payer)
    await rig.settleAll(by)
    for (let block = 0; block < 3; block++) await nextBlock(by, 2)
    expect(await states(sales)).toEqual(["suspended"])
    for (const { payer } of sales) await rig.blacklist(payer, false)
    await expectAllPaid(by, sales)
  })

  it("a transfer that no node simulates is suspended, and sent when one does", async () => {
    let refuses = true
    const chain: SettlementDeps["chain"] = {
      ...rig.chain,
      estimateGas: async (call) => (refuses ? null : rig.chain.estimateGas(call)),
      readTransfer: async (query) => {
        if (refuses) throw new RequestRefused("every node refuses")
        return rig.chain.readTransfer(query)
      },
    }
    const by = rig.open({ chain })
    const [sale] = await rig.sell(1)
    for (let second = 0; second < 5; second++) {
      await rig.settleAll(by)
      rig.advanceClock(5)
    }
    expect((await rig.row(sale!)).state).toBe("accepted")
    await nextBlock(by)
    expect(await rig.row(sale!)).toMatchObject({ state: "suspended", failure: null })
    refuses = false
    await expectAllPaid(by, [sale!])
  })
})

describe("a suspended payment", () => {
  it("SET-52: fails when its validity ends, as a loss that ends its grant", async () => {
    const by = rig.open()
    const sale = await suspendOne(by)
    expect(await lossesOf()).toEqual([price])
    const { transfer } = await rig.row(sale)
    await node.request("evm_setNextBlockTimestamp", [Number(transfer.validBefore)])
    await nextBlock(by)
    expect(await rig.row(sale)).toMatchObject({ state: "failed", failure: "insufficient_funds", dueAt: null })
    expect(await ends([sale])).toEqual(["settlement_failed"])
    expect(await lossesOf()).toEqual([price])
    await rig.refill(sale)
    for (let block = 0; block < 3; block++) await nextBlock(by, 60)
    expect([await rig.inFlight(), await rig.received()]).toEqual([[], 0n])
    expect(await auditBooks(rig.store)).toEqual([])
  })

  it("is paid by a third party's submission as well", async () => {
    const by = rig.open()
    const sale = await suspendOne(by)
    await rig.refill(sale)
    const { transfer } = await rig.row(sale)
    await rig.sendToAsset(exactEip3009.settlementCall(rig.asset, transfer).data)
    await expectAllPaid(by, [sale])
    expect(await rig.inFlight()).toEqual([])
  })

  it("leaves room for new payments, whatever their number", async () => {
    const by = rig.open({}, { suspendedAtOnce: 1, dueAtOnce: 3 })
    const refused = await rig.sell(6)
    for (const sale of refused) await rig.emptyBalance(sale)
    for (let block = 0; block < 8; block++) await nextBlock(by)
    expect(await states(refused)).toEqual(["suspended"])
    const [sale] = await rig.sell(1)
    rig.advanceClock(20)
    await by.advance(rig.fence)
    expect((await rig.row(sale!)).state).toBe("sent")
  })

  it("stays suspended in a block that is not deep enough, and through a reorg", async () => {
    const by = rig.open({ confirmations: 3 })
    const sale = await suspendOne(by)
    await rig.refill(sale)
    const before = await node.request("evm_snapshot", [])
    rig.advanceClock(10)
    await rig.settleAll(by)
    await nextBlock(by)
    expect(await rig.row(sale)).toMatchObject({ state: "suspended", dueAt: null })
    expect(rig.logged).not.toContain("a settlement step failed")
    expect(await lossesOf()).toEqual([price])
    await node.request("evm_revert", [before])
    await node.request("anvil_dropAllTransactions", [])
    await nextBlock(by, 20)
    expect((await rig.row(sale)).state).toBe("suspended")
    await finish(by, [sale])
    expect([await ends([sale]), await rig.received()]).toEqual([[null], price])
  })

  it("is tried alone and more slowly after a try in vain, and never given up", async () => {
    const by = rig.open({ chance: () => 0.999 }, { maxAttempts: 2 })
    const sale = await suspendOne(by)
    await rig.refill(sale)
    for (let attempt = 1; attempt <= 4; attempt++) {
      rig.advanceClock(60)
      await rig.settleAll(by)
      expect(await rig.row(sale)).toMatchObject({ state: "suspended", dueAt: null })
      await rig.switchAsset("pause")
      await rig.settleAll(by)
      const row = await rig.row(sale)
      expect(row).toMatchObject({ state: "suspended", attempts: attempt })
      await rig.switchAsset("unpause")
    }
    expect(await ends([sale])).toEqual([null])
  })

  it("is logged once, and once when it is paid", async () => {
    const by = rig.open()
    const sale = await suspendOne(by)
    await nextBlock(by)
    await rig.refill(sale)
    await finish(by, [sale])
    const said = rig.logged.filter((message) => message.includes("suspended"))
    expect(said).toEqual(["a payment is suspended; its grant opens nothing"])
  })

  it.each(settlementSteps)("survives a crash at the step %s on its way to paid", async (step) => {
    const sale = await suspendOne(rig.open())
    await rig.refill(sale)
    rig.advanceClock(10)
    let passed = 0
    // Each crash loses the memory of the process; the store and the chain stay.
    const crashing = () => {
      const onStep = (each: string) => {
        if (each !== step) return
        passed += 1
        throw new Error("crash")
      }
      return rig.open({ onStep })
    }
    for (let block = 0; block < 3; block++) {
      await crashing().advance(rig.fence)
      await rig.mine()
      rig.advanceClock(20)
    }
    expect(passed).toBeGreaterThan(0)
    await expectAllPaid(rig.open(), [sale])
  })
})
