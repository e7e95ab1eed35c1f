import { numberToHex } from "viem"
import { generatePrivateKey } from "viem/accounts"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createRelayer } from "../../../server/chains/relayer.ts"
import { type Chain, ChainUnavailable, type Relayer } from "../../../server/ports/chain.ts"
import { type OpenLane, pickLane } from "../../../server/settlement/lanes.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import type { Hex } from "../../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { openTill, price, type Sale, type Till } from "../../support/till.ts"

let node: LocalChain
let till: Till
let second: Relayer

beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  await node.request("evm_setAutomine", [false])
})
afterAll(() => node.stop())
beforeEach(async () => {
  till = await openTill(node)
  second = createRelayer(generatePrivateKey())
  await node.fund(second.address)
})

/** Every payment in a transaction of its own, so that lanes fill. */
const single = { batchSize: 1 }
const two = (limits = {}) => till.open({ relayers: [till.relayer, second] }, { ...single, ...limits })
const noncesOf = async ({ address }: Relayer) =>
  (await till.flying())
    .filter(({ transaction }) => transaction.relayer === address)
    .map(({ transaction }) => transaction.nonce)
const states = (sales: readonly Sale[]) =>
  Promise.all(sales.map(async (sale) => (await till.row(sale)).state))
const drop = (hash: Hex) => node.request("anvil_dropTransaction", [hash])
const times = (message: string) => till.logged.filter((line) => line === message).length
/** Bytes of the relayer's key that the till knows nothing of. */
const elsewhere = async (nonce: number, maxFeePerGas = 100_000_000_000n) => {
  const fees = { maxFeePerGas, maxPriorityFeePerGas: maxFeePerGas }
  const order = { chainId: sepolia.chainId, to: till.payTo, data: "0x", gas: 30_000n, nonce, fees } as const
  const { raw, hash } = await till.relayer.sign(order)
  expect(await till.chain.send(raw)).toBe("taken")
  return hash
}

describe("several relayers", () => {
  it("SET-20: share the work evenly, each with nonces of its own, and no more than it may have in flight", async () => {
    const sales = await till.sell(6)
    const settlement = two({ maxInFlight: 2 })
    await till.settle(settlement)
    expect(await noncesOf(till.relayer)).toEqual([0, 1])
    expect(await noncesOf(second)).toEqual([0, 1])
    await till.mine()
    await till.settle(settlement)
    await till.mine()
    await till.settle(settlement)
    expect(new Set(await states(sales))).toEqual(new Set(["paid"]))
    expect(await till.received()).toBe(6n * price)
  })

  it("one without gas holds up no payment: what comes goes by the other, and so does what it was given", async () => {
    const [early] = await till.sell(1)
    await till.settle(till.open({}, single))
    await drop((await till.flying())[0]!.transaction.versions[0]!.hash)
    await node.fund(till.relayer.address, 0n)
    const settlement = two()
    till.pass(16)
    const [late] = await till.sell(1)
    await till.settle(settlement)
    await till.mine()
    await till.settle(settlement)
    expect(await states([early!, late!])).toEqual(["sent", "paid"])
    expect(times("the relayer has no gas")).toBe(1)
    till.pass(60)
    await till.settle(settlement)
    till.pass(2)
    await till.settle(settlement)
    await till.mine()
    await till.settle(settlement)
    expect(await states([early!, late!])).toEqual(["paid", "paid"])
    expect(await till.received()).toBe(2n * price)
  })

  it("one that no node listens to holds up no payment of the others", async () => {
    const sales = await till.sell(4)
    const refused = new Set<Hex>()
    const chain: Chain = {
      ...till.chain,
      async send(raw) {
        if (refused.has(raw)) throw new ChainUnavailable("the node did not answer")
        return till.chain.send(raw)
      },
    }
    const deaf: Relayer = {
      ...till.relayer,
      async sign(order) {
        const signed = await till.relayer.sign(order)
        refused.add(signed.raw)
        return signed
      },
    }
    const settlement = till.open({ chain, relayers: [deaf, second] }, single)
    await till.settle(settlement)
    await till.mine()
    await till.settle(settlement)
    expect((await states(sales)).filter((state) => state === "paid")).toHaveLength(2)
    expect(times("no node takes the transactions of the relayer")).toBe(1)
    const more = await till.sell(2)
    await till.settle(settlement)
    await till.mine()
    await till.settle(settlement)
    expect(await states(more)).toEqual(["paid", "paid"])
  })

  it("KEY-06: one whose key was taken away drains: its receipts count, and nothing is signed for it again", async () => {
    const [mined, stuck] = await till.sell(2)
    await till.settle(till.open({}, single))
    const [, last] = await till.flying()
    await drop(last!.transaction.versions[0]!.hash)
    await till.mine()
    const settlement = till.open({ relayers: [second] }, single)
    // The node refuses its bytes as long as it has no gas, so that it cannot go on by itself.
    await node.fund(till.relayer.address, 0n)
    await till.settle(settlement)
    expect(await states([mined!, stuck!])).toEqual(["paid", "sent"])
    till.pass(61)
    await till.settle(settlement)
    till.pass(2)
    await till.settle(settlement)
    await till.mine()
    await till.settle(settlement)
    expect(await states([mined!, stuck!])).toEqual(["paid", "paid"])
    till.pass(31)
    await till.settle(settlement)
    expect(await till.flying()).toEqual([])
    const kept = { fence: till.fence, network: sepolia.id, relayer: till.relayer.address, nonce: 1 }
    expect((await till.store.transactionAt(kept))?.versions).toEqual(last!.transaction.versions)
    expect(await till.chain.nonceOf(till.relayer.address)).toBe(1)
  })
})

describe("a nonce", () => {
  it("SET-21: that came free by a reorg of a stranger's transaction is filled by a transfer of nothing", async () => {
    const theirs = await elsewhere(0)
    await till.mine()
    const settlement = till.open({}, single)
    await till.settle(settlement)
    const [sale] = await till.sell(1)
    await till.settle(settlement)
    expect(await noncesOf(till.relayer)).toEqual([1])
    await node.request("anvil_reorg", [2, []])
    await drop(theirs)
    // The payer's money came in the block that went away.
    await till.refill(sale!)
    expect(await till.chain.nonceOf(till.relayer.address)).toBe(0)
    for (const seconds of [0, 30]) {
      till.pass(seconds)
      await till.settle(settlement)
    }
    expect(await noncesOf(till.relayer)).toEqual([0, 1])
    const [filler] = await till.flying()
    expect(filler!.transaction).toMatchObject({ to: till.relayer.address, data: "0x" })
    await till.mine()
    await till.settle(settlement)
    expect(await states([sale!])).toEqual(["paid"])
    expect(times("a nonce of the relayer is missing")).toBe(1)
  })

  it("SET-21: that nobody waits for any more is used up by a transfer of nothing, and the lane goes on", async () => {
    const [sale] = await till.sell(1)
    const settlement = till.open({}, single)
    await till.settle(settlement)
    const [before] = await till.flying()
    await drop(before!.transaction.versions[0]!.hash)
    const { validBefore } = (await till.row(sale!)).transfer
    await node.request("evm_setNextBlockTimestamp", [numberToHex(validBefore)])
    await till.mine()
    till.pass(31)
    await till.settle(settlement)
    expect(await states([sale!])).toEqual(["failed"])
    await till.settle(settlement)
    const [after] = await till.flying()
    expect(after!.transaction).toMatchObject({ nonce: 0, to: till.relayer.address, data: "0x" })
    expect(after!.transaction.versions).toHaveLength(2)
    await till.mine()
    await till.settle(settlement)
    expect(await till.flying()).toEqual([])
    expect(await till.chain.nonceOf(till.relayer.address)).toBe(1)
    expect(await till.received()).toBe(0n)
  })

  it("SET-20: beyond ours, because the key is used elsewhere, is alarmed once, and we go on after it", async () => {
    const settlement = till.open({}, single)
    const [first] = await till.sell(1)
    await till.settle(settlement)
    await till.mine()
    await till.settle(settlement)
    for (const nonce of [1, 2]) await elsewhere(nonce)
    await till.mine()
    const later = await till.sell(2)
    await till.settle(settlement)
    expect(await noncesOf(till.relayer)).toEqual([3, 4])
    await till.mine()
    await till.settle(settlement)
    expect(await states([first!, ...later])).toEqual(["paid", "paid", "paid"])
    expect(times("the relayer's key is used by somebody else")).toBe(1)
  })

  it("SET-22: on which a stranger bids, too, is bid for until ours is taken", async () => {
    const { maxFeePerGas } = await till.chain.fees()
    await elsewhere(0, maxFeePerGas)
    const [sale] = await till.sell(1)
    // The stranger's went into the block of the sale; the next one is bid for.
    const nonce = await till.chain.nonceOf(till.relayer.address)
    await elsewhere(nonce, maxFeePerGas * 2n)
    const settlement = till.open({}, single)
    await till.settle(settlement)
    const [ours] = await till.flying()
    expect(ours!.transaction.nonce).toBe(nonce)
    expect(ours!.transaction.versions.length).toBeGreaterThan(1)
    await till.mine()
    await till.settle(settlement)
    if ((await states([sale!]))[0] !== "paid") {
      // Outbid after all: by another nonce.
      await till.mine(6)
      await till.settle(settlement)
      await till.mine()
      await till.settle(settlement)
    }
    expect(await states([sale!])).toEqual(["paid"])
    expect(await till.received()).toBe(price)
  })
})

it("SET-22: a base fee above the highest fee allowed is alarmed once, waited for, and over when it falls", async () => {
  const { maxFeePerGas } = await till.chain.fees()
  const [sale] = await till.sell(1)
  const settlement = till.open({}, { ...single, maxFeePerGas })
  await node.request("anvil_setNextBlockBaseFeePerGas", [numberToHex(maxFeePerGas * 10n)])
  await till.mine()
  for (let look = 0; look < 4; look += 1) {
    await till.settle(settlement)
    till.pass(31)
  }
  await till.settle(settlement)
  expect(await states([sale!])).toEqual(["sent"])
  expect(times("a transaction is stuck at the highest fee allowed")).toBe(1)
  await node.request("anvil_setNextBlockBaseFeePerGas", [numberToHex(1_000_000_000n)])
  await till.mine()
  till.pass(16)
  await till.settle(settlement)
  await till.mine()
  await till.settle(settlement)
  expect(await states([sale!])).toEqual(["paid"])
})

it("SET-41: a payment that can never be worked on is dead in the end, and tried again by command", async () => {
  const [poison, good] = await till.sell(2)
  const broken: Chain = {
    ...till.chain,
    async estimateGas(call) {
      if (call.data.includes(poison!.payer.slice(2))) throw new Error("bad at http://node.example/secret")
      return till.chain.estimateGas(call)
    },
  }
  const settlement = till.open({ chain: broken }, { ...single, maxAttempts: 3 })
  for (let look = 0; look < 4; look += 1) {
    await till.settle(settlement)
    await till.mine()
    till.pass(61)
  }
  expect(await till.row(poison!)).toMatchObject({
    state: "dead",
    dueAt: null,
    attempts: 3,
    lastError: "bad at [address]",
  })
  expect(await states([good!])).toEqual(["paid"])
  expect(times("a payment is given up until an operator retries it")).toBe(1)
  const healed = till.open({}, single)
  await till.settle(healed)
  expect(await states([poison!])).toEqual(["dead"])
  expect(await till.store.retry({ key: poison!.key, now: 0 })).toEqual({ retried: true })
  await till.settle(healed)
  await till.mine()
  await till.settle(healed)
  expect(await states([poison!])).toEqual(["paid"])
})

it("SET-41: an outage is no try: no payment dies of a node that is away", async () => {
  const [sale] = await till.sell(1)
  const away: Chain = { ...till.chain, estimateGas: () => Promise.reject(new ChainUnavailable("gone")) }
  const settlement = till.open({ chain: away }, { ...single, maxAttempts: 2 })
  for (let look = 0; look < 5; look += 1) {
    await till.settle(settlement)
    till.pass(31)
  }
  expect(await till.row(sale!)).toMatchObject({ state: "accepted", attempts: 0 })
})

it("a transaction goes where it can be paid for, and of such lanes where the fewest are in flight", () => {
  const lane = (affordable: bigint, inFlight: number): OpenLane => ({
    relayer: till.relayer,
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
