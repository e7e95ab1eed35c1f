/** Measures settlement: gas of a payment alone and in batches, payments per second, and the damage of a hostile payer. */
import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { createEvmChain } from "../../server/chains/evm.ts"
import { createRelayer } from "../../server/chains/relayer.ts"
import { createSettlement } from "../../server/settlement/settlement.ts"
import { createWorker } from "../../server/settlement/worker.ts"
import { openStore } from "../../server/stores/index.ts"
import { domainOf } from "../../shared/networks/network.ts"
import { sepolia } from "../../shared/networks/sepolia.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import { type Hex, lowerAddress } from "../../shared/values/evm.ts"
import { type LocalAccount, type LocalChain, startLocalChain } from "../../test/support/chain/local-chain.ts"
import { orderOf } from "./parts.ts"

export type SettlementFigures = {
  /** Gas of one payment when that many share a transaction. */
  readonly gas: { readonly alone: number; readonly at10: number; readonly at50: number }
  /** Gas at 50 over gas alone. */
  readonly gasRatio: number
  /** Settled payments on blocks of one second. */
  readonly perSecond: {
    /** In batches, as the service sends them. */
    readonly batched: number
    /** A transaction for each payment, many in flight. */
    readonly pipelined: number
    /** A transaction for each payment, each awaited. */
    readonly sequential: number
  }
  /** The batched rate over the sequential rate. */
  readonly speedUp: number
  /** A batch of 50 in which one payer becomes an endless loop after the sending. */
  readonly hostile: { readonly riders: number; readonly settled: number }
}

type Limits = NonNullable<Parameters<typeof createSettlement>[1]>

const price = 10_000n
const [usdc] = sepolia.assets
const asset = lowerAddress(usdc.address)
const offer = { ref: "hour@00000000", scope: "movies:read", durationSeconds: 3600 }
const endlessLoop = "0x5b5f56"
const oneEach: Limits = { batchSize: 1 }
const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** `seconds` sets the number of payments; the benchmark measures the time of their settlement. */
export async function measureSettlement(seconds: number): Promise<SettlementFigures> {
  const folder = await mkdtemp(join(tmpdir(), "ticket402-bench-"))
  const node = await startLocalChain({ blockTimeSeconds: 0, accounts: 50 })
  try {
    const bench = await openBench(node, folder)
    await node.request("evm_setAutomine", [false])
    const gasOf = (riders: number) => bench.gasEach(riders)
    // The very first payment creates the balance of payTo and costs more gas.
    await gasOf(1)
    const gas = { alone: await gasOf(1), at10: await gasOf(10), at50: await gasOf(50) }
    const hostile = await bench.sendWithHostile(50)
    await node.request("evm_setIntervalMining", [1])
    const perSecond = {
      batched: await bench.rate(Math.max(50, Math.ceil(seconds * 200))),
      pipelined: await bench.rate(Math.max(16, Math.ceil(seconds * 60)), oneEach),
      sequential: await bench.rate(seconds < 1 ? 2 : 5, { ...oneEach, maxInFlight: 1 }),
    }
    return {
      gas,
      gasRatio: gas.at50 / gas.alone,
      perSecond,
      speedUp: perSecond.batched / perSecond.sequential,
      hostile,
    }
  } finally {
    await node.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function openBench(node: LocalChain, folder: string) {
  const chain = createEvmChain({ network: sepolia, assets: sepolia.assets, rpcUrls: [node.rpcUrl] })
  const payTo = lowerAddress(privateKeyToAccount(generatePrivateKey()).address)
  const now = () => Math.floor(Date.now() / 1000)
  let files = 0

  /** Opens a store with a relayer, in which a number of payments of different payers wait. */
  async function open(payments: number, payers: readonly LocalAccount[], limits: Limits = {}) {
    const relayer = createRelayer(generatePrivateKey())
    await node.fund(relayer.address, 10n ** 21n)
    files += 1
    const store = await openStore(`sqlite:${join(folder, `${files}.db`)}`)
    const deps = { store, chain, relayers: [relayer], now, chance: Math.random, log: silent } as const
    const settlement = createSettlement({ ...deps, confirmations: 1, failedGasBudget: 10n ** 9n }, limits)
    const { number: blockNumber } = await chain.head()
    for (let i = 0; i < payments; i += 1) {
      const payer = payers[i % payers.length]
      if (!payer) throw new Error("nobody pays")
      const { key, transfer } = await sign(payer, payTo, now())
      const payment = { key, transfer, offer, price: { asset }, network: sepolia, scheme: exactEip3009 }
      const order = orderOf(payment, { blockNumber, balance: 10n ** 15n }, now())
      const outcome = await store.redeem(order)
      if (outcome.kind !== "redeemed") throw new Error(`a payment was not redeemed: ${outcome.kind}`)
    }
    const settled = async () =>
      (await store.entries({ after: 0, limit: 1_000_000 })).filter(({ kind }) => kind === "settled").length
    return { store, settlement, settled }
  }

  /** Sends the due payments in one transaction, and returns its gas and the number of settled payments. */
  async function sendOnce(riders: number, beforeBlock: () => Promise<unknown> = async () => {}) {
    const { store, settlement, settled } = await open(riders, node.accounts)
    try {
      const lease = await store.lease({ holder: "bench", seconds: 600, now: now() })
      if (!lease) throw new Error("somebody else settles")
      const settle = async () => {
        while ((await settlement.advance(lease.fence)).busy);
      }
      await settle()
      const [sent, ...more] = await store.inFlight({ fence: lease.fence, network: sepolia.id })
      const hash = sent?.transaction.versions[0]?.hash
      if (!hash || more.length > 0) throw new Error(`${riders} payments are not in one transaction`)
      await beforeBlock()
      await node.request("evm_mine")
      await settle()
      const receipt = (await node.request("eth_getTransactionReceipt", [hash])) as { gasUsed: Hex }
      return { gas: Number(receipt.gasUsed), settled: await settled() }
    } finally {
      await store.close()
    }
  }

  return {
    async gasEach(riders: number): Promise<number> {
      const { gas, settled } = await sendOnce(riders)
      if (settled !== riders) throw new Error(`${settled} of ${riders} payments were settled`)
      return gas / riders
    },

    async sendWithHostile(riders: number): Promise<SettlementFigures["hostile"]> {
      const [payer] = node.accounts
      const code = (hex: Hex) => node.request("anvil_setCode", [payer?.address, hex])
      const { settled } = await sendOnce(riders, () => code(endlessLoop))
      await code("0x")
      return { riders, settled }
    },

    /** Measures from the first step of a worker to the last payment; all payments wait at the start. */
    async rate(payments: number, limits: Limits = {}): Promise<number> {
      const { store, settlement, settled } = await open(payments, node.accounts, limits)
      const worker = createWorker(
        { store, settlements: [settlement], now, holder: randomBytes(16).toString("hex"), log: silent },
        { pollSeconds: 0.05 },
      )
      try {
        const startedAt = performance.now()
        worker.start()
        while ((await settled()) < payments) {
          if (performance.now() - startedAt > 60_000) throw new Error("payments were not settled in a minute")
          await delay(20)
        }
        return (payments * 1000) / (performance.now() - startedAt)
      } finally {
        await worker.stop()
        await store.close()
      }
    },
  }
}

async function sign(payer: LocalAccount, payTo: Hex, now: number) {
  const account = privateKeyToAccount(payer.privateKey)
  const terms = {
    payer: lowerAddress(account.address),
    payTo,
    value: price,
    validAfter: 0n,
    validBefore: BigInt(now + 600),
    nonce: `0x${randomBytes(32).toString("hex")}` as const,
  }
  const transfer = { ...terms, signature: await exactEip3009.sign(terms, domainOf(sepolia, usdc), account) }
  return { transfer, key: exactEip3009.redemptionKey(sepolia.chainId, asset, transfer) }
}

export function showSettlement({ gas, gasRatio, perSecond, speedUp, hostile }: SettlementFigures): string[] {
  const rate = (name: string, value: number) => `  ${name.padEnd(14)}${value.toFixed(1).padStart(7)} per s`
  return [
    `Settlement: ${gasRatio.toFixed(2)} of the gas for a payment in a batch of 50 of one alone`,
    `  gas each      alone ${gas.alone.toFixed(0)}   of 10 ${gas.at10.toFixed(0)}   of 50 ${gas.at50.toFixed(0)}`,
    `  ${speedUp.toFixed(0)} times as many per second as by a worker that waits for each transaction, on blocks of 1 s`,
    rate("batched", perSecond.batched),
    rate("one each", perSecond.pipelined),
    rate("waiting", perSecond.sequential),
    `  a hostile payer in a batch of ${hostile.riders}: ${hostile.settled} settled`,
  ]
}
