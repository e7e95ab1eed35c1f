import { numberToHex } from "viem"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createEvmChain } from "../../../server/chains/evm.ts"
import type { Settlement } from "../../../server/settlement/settlement.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { type RpcProxy, startRpcProxy } from "../../support/rpc-proxy.ts"
import { openSettlementRig, price, type Sale, type SettlementRig } from "../../support/settlement-rig.ts"

let node: LocalChain
let proxy: RpcProxy
let rig: SettlementRig
let settlement: Settlement
let lines: { readonly message: string; readonly fields: Record<string, unknown> }[]

const confirmations = 3
const record = (fields: Record<string, unknown>, message: string) => void lines.push({ message, fields })
const log = { debug() {}, info() {}, warn: record, error: record }
const settlementBy = (rpcUrls: readonly string[], depth = confirmations): Settlement => {
  const chain = createEvmChain({ network: sepolia, assets: sepolia.assets, rpcUrls })
  return rig.open({ chain, confirmations: depth, log })
}

beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  await node.request("evm_setAutomine", [false])
  proxy = await startRpcProxy(node.rpcUrl)
})
afterAll(async () => {
  await proxy.close()
  await node.stop()
})
beforeEach(async () => {
  rig = await openSettlementRig(node)
  lines = []
  settlement = settlementBy([proxy.url])
})
afterEach(() => {
  proxy.fault = undefined
})

/** The node answers null when asked for one of these block numbers, block hashes or transaction hashes. */
function hide(...hidden: readonly unknown[]): void {
  proxy.fault = {
    kind: "lie",
    method: /^eth_get(BlockBy|TransactionReceipt)/,
    change: (result, [wanted]) => (hidden.includes(wanted) ? null : result),
  }
}

/** A payment in a block that is not deep enough to count. */
async function mineSale() {
  const [sale] = (await rig.sell(1)) as [Sale]
  await rig.settleAll(settlement)
  await rig.mine()
  await rig.settleAll(settlement)
  const { state, evidence } = await rig.row(sale)
  if (state !== "mined" || !evidence) throw new Error(`the payment is ${state}`)
  return { sale, ...evidence, number: numberToHex(evidence.blockNumber) }
}

async function mineAndSettle(blocks: number, by = settlement): Promise<void> {
  await rig.mine(blocks)
  await rig.settleAll(by)
}

const missing = () => lines.filter(({ message }) => message === "no node has the block of a payment")
const stateOf = async (sale: Sale) => (await rig.row(sale)).state

describe("a hole in a node's chain at the block of a payment", () => {
  it("SET-32: is logged at once and once, by number and without an address", async () => {
    const { number, blockHash, transactionHash, blockNumber } = await mineSale()
    hide(number, blockHash, transactionHash)
    await mineAndSettle(confirmations)
    await mineAndSettle(confirmations)
    expect(missing().map(({ fields }) => fields)).toEqual([{ network: sepolia.id, block: `${blockNumber}` }])
    expect(JSON.stringify(lines)).not.toContain(proxy.url)
  })

  it("SET-32: settles the payment by the block's hash and a receipt that names it", async () => {
    const { sale, number, blockHash, transactionHash } = await mineSale()
    hide(number, transactionHash)
    await mineAndSettle(confirmations)
    hide(number, blockHash)
    await mineAndSettle(1)
    expect(await stateOf(sale)).toBe("mined")
    hide(number)
    await rig.settleAll(settlement)
    expect(await stateOf(sale)).toBe("paid")
    expect(missing()).toHaveLength(1)
  })

  it("SET-32: is bridged by another node", async () => {
    const { sale, number, blockHash, transactionHash } = await mineSale()
    hide(number, blockHash, transactionHash)
    await mineAndSettle(confirmations, settlementBy([proxy.url, node.rpcUrl]))
    expect(await stateOf(sale)).toBe("paid")
    expect(missing()).toEqual([])
  })

  it("SET-32: that outlasts finality has the same bytes sent again", async () => {
    const { sale, number, transactionHash, blockHash } = await mineSale()
    hide(number, blockHash)
    await node.request("anvil_reorg", [1, []])
    await node.request("anvil_dropTransaction", [transactionHash])
    await mineAndSettle(confirmations)
    await mineAndSettle(sepolia.finalityBlocks)
    expect(await stateOf(sale)).toBe("mined")
    expect(await rig.received()).toBe(0n)
    await mineAndSettle(1)
    expect(await stateOf(sale)).toBe("sent")
    await mineAndSettle(confirmations)
    expect(await rig.row(sale)).toMatchObject({ state: "paid", evidence: { transactionHash } })
    expect(await rig.received()).toBe(price)
  })

  it("SET-32: that hides the receipt too fails no payment, and it settles later", async () => {
    const { sale, number, blockHash, transactionHash } = await mineSale()
    hide(number, blockHash, transactionHash)
    await mineAndSettle(confirmations)
    await mineAndSettle(sepolia.finalityBlocks + 1)
    expect(await stateOf(sale)).toBe("sent")
    await mineAndSettle(10)
    expect(await stateOf(sale)).toBe("accepted")
    proxy.fault = undefined
    rig.advanceClock(60)
    await mineAndSettle(1)
    expect(await stateOf(sale)).toBe("final")
    expect(await rig.received()).toBe(price)
  })

  it("SET-32: makes a settled payment final only by its hash and receipt", async () => {
    settlement = settlementBy([proxy.url], 1)
    const [sale] = (await rig.sell(1)) as [Sale]
    await rig.settleAll(settlement)
    await mineAndSettle(1)
    const { evidence } = await rig.row(sale)
    if (!evidence) throw new Error("the payment is not mined")
    const number = numberToHex(evidence.blockNumber)
    hide(number, evidence.transactionHash)
    rig.advanceClock(10)
    await mineAndSettle(2 * sepolia.finalityBlocks)
    rig.advanceClock(10)
    await mineAndSettle(2 * sepolia.finalityBlocks)
    expect(await stateOf(sale)).toBe("paid")
    expect(missing()).toHaveLength(1)
    hide(number)
    rig.advanceClock(10)
    await rig.settleAll(settlement)
    expect(await stateOf(sale)).toBe("final")
  })
})
