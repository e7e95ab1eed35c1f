import { numberToHex } from "viem"
import { generatePrivateKey } from "viem/accounts"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createRelayer } from "../../../server/chains/relayer.ts"
import { type Chain, ChainUnavailable, type Relayer } from "../../../server/ports/chain.ts"
import { type OpenLane, pickLane } from "../../../server/settlement/lanes.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import type { Hex } from "../../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { openSettlementRig, price, type Sale, type SettlementRig } from "../../support/settlement-rig.ts"

let node: LocalChain
let rig: SettlementRig
let second: Relayer

beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  await node.request("evm_setAutomine", [false])
})
afterAll(() => node.stop())
beforeEach(async () => {
  rig = await openSettlementRig(node)
  second = createRelayer(generatePrivateKey())
  await node.fund(second.address)
})

/** One payment per transaction, so that lanes fill. */
const single = { batchSize: 1 }
const two = (limits = {}) => rig.open({ relayers: [rig.relayer, second] }, { ...single, ...limits })
const noncesOf = async ({ address }: Relayer) =>
  (await rig.inFlight())
    .filter(({ transaction }) => transaction.relayer === address)
    .map(({ transaction }) => transaction.nonce)
const states = (sales: readonly Sale[]) => Promise.all(sales.map(async (sale) => (await rig.row(sale)).state))
const drop = (hash: Hex) => node.request("anvil_dropTransaction", [hash])
const times = (message: string) => rig.logged.filter((line) => line === message).length
/** Signs and sends a transaction by the relayer's key outside the service. */
const sendOutside = async (nonce: number, maxFeePerGas = 100_000_000_000n) => {
  const fees = { maxFeePerGas, maxPriorityFeePerGas: maxFeePerGas }
  const order = { chainId: sepolia.chainId, to: rig.payTo, data: "0x", gas: 30_000n, nonce, fees } as const
  const { raw, hash } = await rig.relayer.sign(order)
  expect(await rig.chain.send(raw)).toBe("taken")
  return hash
}

describe("several relayers", () => {
  it("SET-20: share the work with own nonces and a bounded number in flight", async () => {
    const sales = await rig.sell(6)
    const settlement = two({ maxInFlight: 2 })
    await rig.settleAll(settlement)
    expect(await noncesOf(rig.relayer)).toEqual([0, 1])
    expect(await noncesOf(second)).toEqual([0, 1])
    await rig.mine()
    await rig.settleAll(settlement)
    await rig.mine()
    await rig.settleAll(settlement)
    expect(new Set(await states(sales))).toEqual(new Set(["paid"]))
    expect(await rig.received()).toBe(6n * price)
  })

  it("settle every payment although one relayer has no gas", async () => {
    const [early] = await rig.sell(1)
    await rig.settleAll(rig.open({}, single))
    await drop((await rig.inFlight())[0]!.transaction.versions[0]!.hash)
    await node.fund(rig.relayer.address, 0n)
    const settlement = two()
    rig.advanceClock(16)
    const [late] = await rig.sell(1)
    await rig.settleAll(settlement)
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states([early!, late!])).toEqual(["sent", "paid"])
    expect(times("the relayer has no gas")).toBe(1)
    rig.advanceClock(60)
    await rig.settleAll(settlement)
    rig.advanceClock(2)
    await rig.settleAll(settlement)
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states([early!, late!])).toEqual(["paid", "paid"])
    expect(await rig.received()).toBe(2n * price)
  })

  it("settle new payments although nodes reject one relayer's transactions", async () => {
    const sales = await rig.sell(4)
    const refused = new Set<Hex>()
    const chain: Chain = {
      ...rig.chain,
      async send(raw) {
        if (refused.has(raw)) throw new ChainUnavailable("the node did not answer")
        return rig.chain.send(raw)
      },
    }
    const blocked: Relayer = {
      ...rig.relayer,
      async sign(order) {
        const signed = await rig.relayer.sign(order)
        refused.add(signed.raw)
        return signed
      },
    }
    const settlement = rig.open({ chain, relayers: [blocked, second] }, single)
    await rig.settleAll(settlement)
    await rig.mine()
    await rig.settleAll(settlement)
    expect((await states(sales)).filter((state) => state === "paid")).toHaveLength(2)
    expect(times("no node takes the transactions of the relayer")).toBe(1)
    const more = await rig.sell(2)
    await rig.settleAll(settlement)
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states(more)).toEqual(["paid", "paid"])
  })

  it("KEY-06: drain a removed key: its receipts count, and it signs nothing more", async () => {
    const [mined, stuck] = await rig.sell(2)
    await rig.settleAll(rig.open({}, single))
    const [, last] = await rig.inFlight()
    await drop(last!.transaction.versions[0]!.hash)
    await rig.mine()
    const settlement = rig.open({ relayers: [second] }, single)
    // Without gas, the node refuses the old transaction, so that it cannot be mined.
    await node.fund(rig.relayer.address, 0n)
    await rig.settleAll(settlement)
    expect(await states([mined!, stuck!])).toEqual(["paid", "sent"])
    rig.advanceClock(61)
    await rig.settleAll(settlement)
    rig.advanceClock(2)
    await rig.settleAll(settlement)
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states([mined!, stuck!])).toEqual(["paid", "paid"])
    rig.advanceClock(31)
    await rig.settleAll(settlement)
    expect(await rig.inFlight()).toEqual([])
    const kept = { fence: rig.fence, network: sepolia.id, relayer: rig.relayer.address, nonce: 1 }
    expect((await rig.store.transactionAt(kept))?.versions).toEqual(last!.transaction.versions)
    expect(await rig.chain.nonceOf(rig.relayer.address)).toBe(1)
  })
})

describe("a nonce", () => {
  it("SET-21: freed by a reorg of a foreign transaction is filled by an empty transfer", async () => {
    const foreign = await sendOutside(0)
    await rig.mine()
    const settlement = rig.open({}, single)
    await rig.settleAll(settlement)
    const [sale] = await rig.sell(1)
    await rig.settleAll(settlement)
    expect(await noncesOf(rig.relayer)).toEqual([1])
    await node.request("anvil_reorg", [2, []])
    await drop(foreign)
    // The payer's funding was in the removed block.
    await rig.refill(sale!)
    expect(await rig.chain.nonceOf(rig.relayer.address)).toBe(0)
    for (const seconds of [0, 30]) {
      rig.advanceClock(seconds)
      await rig.settleAll(settlement)
    }
    expect(await noncesOf(rig.relayer)).toEqual([0, 1])
    const [filler] = await rig.inFlight()
    expect(filler!.transaction).toMatchObject({ to: rig.relayer.address, data: "0x" })
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states([sale!])).toEqual(["paid"])
    expect(times("a nonce of the relayer is missing")).toBe(1)
  })

  it("SET-21: of an expired payment is used up by an empty transfer", async () => {
    const [sale] = await rig.sell(1)
    const settlement = rig.open({}, single)
    await rig.settleAll(settlement)
    const [before] = await rig.inFlight()
    await drop(before!.transaction.versions[0]!.hash)
    const { validBefore } = (await rig.row(sale!)).transfer
    await node.request("evm_setNextBlockTimestamp", [numberToHex(validBefore)])
    await rig.mine()
    rig.advanceClock(31)
    await rig.settleAll(settlement)
    expect(await states([sale!])).toEqual(["failed"])
    await rig.settleAll(settlement)
    const [after] = await rig.inFlight()
    expect(after!.transaction).toMatchObject({ nonce: 0, to: rig.relayer.address, data: "0x" })
    expect(after!.transaction.versions).toHaveLength(2)
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await rig.inFlight()).toEqual([])
    expect(await rig.chain.nonceOf(rig.relayer.address)).toBe(1)
    expect(await rig.received()).toBe(0n)
  })

  it("SET-20: used outside the service raises one alarm and is skipped", async () => {
    const settlement = rig.open({}, single)
    const [first] = await rig.sell(1)
    await rig.settleAll(settlement)
    await rig.mine()
    await rig.settleAll(settlement)
    for (const nonce of [1, 2]) await sendOutside(nonce)
    await rig.mine()
    const later = await rig.sell(2)
    await rig.settleAll(settlement)
    expect(await noncesOf(rig.relayer)).toEqual([3, 4])
    await rig.mine()
    await rig.settleAll(settlement)
    expect(await states([first!, ...later])).toEqual(["paid", "paid", "paid"])
    expect(times("the relayer's key is used by somebody else")).toBe(1)
  })

  it("SET-22: contested by a foreign transaction is bid for until ours is mined", async () => {
    const { maxFeePerGas } = await rig.chain.fees()
    await sendOutside(0, maxFeePerGas)
    const [sale] = await rig.sell(1)
    // The foreign transaction was mined in the block of the sale; the next nonce is contested.
    const nonce = await rig.chain.nonceOf(rig.relayer.address)
    await sendOutside(nonce, maxFeePerGas * 2n)
    const settlement = rig.open({}, single)
    await rig.settleAll(settlement)
    const [ours] = await rig.inFlight()
    expect(ours!.transaction.nonce).toBe(nonce)
    expect(ours!.transaction.versions.length).toBeGreaterThan(1)
    await rig.mine()
    await rig.settleAll(settlement)
    if ((await states([sale!]))[0] !== "paid") {
      // Outbid after all: the payment goes by the next nonce.
      await rig.mine(6)
      await rig.settleAll(settlement)
      await rig.mine()
      await rig.settleAll(settlement)
    }
    expect(await states([sale!])).toEqual(["paid"])
    expect(await rig.received()).toBe(price)
  })
})

it("SET-22: a base fee above the cap raises one alarm and is waited for", async () => {
  const { maxFeePerGas } = await rig.chain.fees()
  const [sale] = await rig.sell(1)
  const settlement = rig.open({}, { ...single, maxFeePerGas })
  await node.request("anvil_setNextBlockBaseFeePerGas", [numberToHex(maxFeePerGas * 10n)])
  await rig.mine()
  for (let look = 0; look < 4; look += 1) {
    await rig.settleAll(settlement)
    rig.advanceClock(31)
  }
  await rig.settleAll(settlement)
  expect(await states([sale!])).toEqual(["sent"])
  expect(times("a transaction is stuck at the highest fee allowed")).toBe(1)
  await node.request("anvil_setNextBlockBaseFeePerGas", [numberToHex(1_000_000_000n)])
  await rig.mine()
  rig.advanceClock(16)
  await rig.settleAll(settlement)
  await rig.mine()
  await rig.settleAll(settlement)
  expect(await states([sale!])).toEqual(["paid"])
})

it("SET-41: a payment that always throws becomes dead and is retried by command", async () => {
  const [failing, good] = await rig.sell(2)
  const failingChain: Chain = {
    ...rig.chain,
    async estimateGas(call) {
      if (call.data.includes(failing!.payer.slice(2))) throw new Error("bad at http://node.example/secret")
      return rig.chain.estimateGas(call)
    },
  }
  const settlement = rig.open({ chain: failingChain }, { ...single, maxAttempts: 3 })
  for (let round = 0; round < 4; round += 1) {
    await rig.settleAll(settlement)
    await rig.mine()
    rig.advanceClock(61)
  }
  expect(await rig.row(failing!)).toMatchObject({
    state: "dead",
    dueAt: null,
    attempts: 3,
    lastError: "bad at [address]",
  })
  expect(await states([good!])).toEqual(["paid"])
  expect(times("a payment is given up until an operator retries it")).toBe(1)
  const repaired = rig.open({}, single)
  await rig.settleAll(repaired)
  expect(await states([failing!])).toEqual(["dead"])
  expect(await rig.store.retry({ key: failing!.key, now: 0 })).toEqual({ retried: true })
  await rig.settleAll(repaired)
  await rig.mine()
  await rig.settleAll(repaired)
  expect(await states([failing!])).toEqual(["paid"])
})

it("SET-41: an outage does not count as an attempt", async () => {
  const [sale] = await rig.sell(1)
  const away: Chain = { ...rig.chain, estimateGas: () => Promise.reject(new ChainUnavailable("gone")) }
  const settlement = rig.open({ chain: away }, { ...single, maxAttempts: 2 })
  for (let look = 0; look < 5; look += 1) {
    await rig.settleAll(settlement)
    rig.advanceClock(31)
  }
  expect(await rig.row(sale!)).toMatchObject({ state: "accepted", attempts: 0 })
})

it("a transaction takes the affordable lane with the fewest in flight", () => {
  const lane = (affordable: bigint, inFlight: number): OpenLane => ({
    relayer: rig.relayer,
    chainNonce: 0,
    affordable,
    inFlight,
  })
  const [poor, busy, idle] = [lane(99n, 0), lane(100n, 5), lane(200n, 4)]
  expect(pickLane([poor, busy], 100n)).toBe(busy)
  expect(pickLane([poor, busy, idle], 100n)).toBe(idle)
  expect(pickLane([poor, busy, idle], 99n)).toBe(poor)
  expect(pickLane([], 1n)).toBeUndefined()
})
