import { generatePrivateKey } from "viem/accounts"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createEvmChain } from "../../../server/chains/evm.ts"
import { createRelayer } from "../../../server/chains/relayer.ts"
import { type Chain, ChainUnavailable, Unwitnessed } from "../../../server/ports/chain.ts"
import { domainOf } from "../../../shared/networks/network.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { exactEip3009 } from "../../../shared/schemes/exact-eip3009.ts"
import type { SignedTransfer } from "../../../shared/schemes/scheme.ts"
import { type Hex, lowerAddress } from "../../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { randomAccount, randomHex32 } from "../../support/payments.ts"
import { type RpcProxy, startRpcProxy } from "../../support/rpc-proxy.ts"

const [usdc] = sepolia.assets
const asset = lowerAddress(usdc.address)
const value = 10_000n
const much = 10_000_001n

let node: LocalChain
let honest: RpcProxy
let liar: RpcProxy
let chain: Chain
let time: number
let alarms: string[]
beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  honest = await startRpcProxy(node.rpcUrl)
  liar = await startRpcProxy(node.rpcUrl)
})
afterAll(async () => {
  await honest.close()
  await liar.close()
  await node.stop()
})
beforeEach(() => {
  liar.fault = undefined
  honest.fault = undefined
  time = 0
  alarms = []
  chain = open([liar.url, honest.url])
})

const quiet = { debug() {}, info() {}, warn() {} }
const open = (rpcUrls: readonly string[]): Chain =>
  createEvmChain({
    network: sepolia,
    assets: [usdc],
    rpcUrls,
    agreementAbove: 10_000_000n,
    clock: () => time,
    log: { ...quiet, error: (_fields, message) => void alarms.push(message) },
  })

async function pay(balance = 30_000n): Promise<SignedTransfer> {
  const account = randomAccount()
  if (balance > 0n) await node.mint(account.address, balance)
  const { time: now } = await chain.head()
  const terms = {
    payer: lowerAddress(account.address),
    payTo: lowerAddress(randomAccount().address),
    value,
    validAfter: 0n,
    validBefore: BigInt(now + 300),
    nonce: randomHex32(),
  }
  return { ...terms, signature: await exactEip3009.sign(terms, domainOf(sepolia, usdc), account) }
}

const question = (transfer: SignedTransfer) => ({ scheme: exactEip3009, asset, transfer })

async function settle(transfer: SignedTransfer): Promise<Hex> {
  const relayer = createRelayer(generatePrivateKey())
  await node.fund(relayer.address)
  const data = exactEip3009.settlementCall(asset, transfer).data
  const { chainId } = sepolia
  const fees = await chain.fees()
  const signed = await relayer.sign({ chainId, nonce: 0, to: asset, data, gas: 200_000n, fees })
  await chain.send(signed.raw)
  // Anvil answers before the receipt exists.
  await expect.poll(() => chain.receipt(signed.hash)).not.toBeNull()
  return signed.hash
}

/** Replaces a word of the answer about a payment: 1 balance, 2 used, 3 transferred, 4 received. */
const withWord = (word: number, value: bigint) => (result: unknown) => {
  const hex = result as string
  const at = 2 + word * 64
  return `${hex.slice(0, at)}${value.toString(16).padStart(64, "0")}${hex.slice(at + 64)}`
}
const lie = (method: string, change: (result: unknown) => unknown) => {
  liar.fault = { kind: "lie", method, change }
}

describe("SET-29: two nodes must agree about a large payment", () => {
  it("one node suffices below the threshold or when only one is configured", () => {
    expect(chain.agreed(much)).not.toBeNull()
    expect(chain.agreed(much - 1n)).toBeNull()
    expect(open([honest.url]).agreed(much)).toBeNull()
  })

  it("a balance invented by one node is not accepted, in either order of nodes", async () => {
    const transfer = await pay(0n)
    const good = [withWord(1, 10n ** 12n), withWord(3, 1n), withWord(4, value)]
    lie("eth_call", (result) => good.reduce((answer, change) => change(answer) as string, result))
    expect(await chain.readTransfer(question(transfer))).toMatchObject({ transferred: true, received: value })
    for (const rpcUrls of [
      [liar.url, honest.url],
      [honest.url, liar.url],
    ])
      await expect(open(rpcUrls).agreed(much)!.readTransfer(question(transfer))).rejects.toThrow(Unwitnessed)
    expect(alarms).toHaveLength(2)
  })

  it("a nonce is neither used nor unused until both nodes say so", async () => {
    const transfer = await pay()
    lie("eth_call", withWord(2, 1n))
    await expect(chain.agreed(much)!.readTransfer(question(transfer))).rejects.toThrow(Unwitnessed)
    liar.fault = undefined
    expect(await chain.agreed(much)!.readTransfer(question(transfer))).toMatchObject({
      used: false,
      transferred: true,
    })
  })

  it("two agreeing nodes yield the lower balance and the plain reading", async () => {
    const transfer = await pay()
    const plain = await chain.readTransfer(question(transfer))
    lie("eth_call", withWord(1, 10n ** 12n))
    expect(await chain.agreed(much)!.readTransfer(question(transfer))).toEqual(plain)
    lie("eth_call", withWord(6, 10n ** 12n))
    expect(await chain.agreed(much)!.readTransfer(question(transfer))).toEqual(plain)
  })

  it("a receipt invented, hidden or changed by one node decides nothing", async () => {
    const hash = await settle(await pay())
    const receipt = await chain.receipt(hash)
    expect(await chain.agreed(much)!.receipt(hash)).toEqual(receipt)
    for (const change of [
      () => null,
      (result: unknown) => ({ ...(result as object), blockHash: randomHex32() }),
      (result: unknown) => ({ ...(result as object), logs: [] }),
      (result: unknown) => ({ ...(result as object), status: "0x0" }),
    ]) {
      lie("eth_getTransactionReceipt", change)
      await expect(chain.agreed(much)!.receipt(hash)).rejects.toThrow(Unwitnessed)
    }
    expect(alarms).toEqual(["two nodes contradict each other about a payment; nothing is decided"])
    time += 60_000
    await expect(chain.agreed(much)!.receipt(hash)).rejects.toThrow(Unwitnessed)
    expect(alarms).toHaveLength(2)
  })

  it("a receipt from a block unknown to the second node is waited for without alarm", async () => {
    const hash = await settle(await pay())
    const { blockNumber } = (await chain.receipt(hash))!
    const before = `0x${(blockNumber - 1n).toString(16)}`
    const change = (_result: unknown, params: unknown[]) => (params.length > 0 ? null : before)
    liar.fault = { kind: "lie", method: /^eth_(getTransactionReceipt|blockNumber)$/, change }
    expect(await chain.agreed(much)!.receipt(hash)).toBeNull()
    expect(alarms).toEqual([])
  })

  it("one silent node delays the payment; two silent nodes are an outage", async () => {
    const transfer = await pay()
    liar.fault = { kind: "down" }
    await expect(chain.agreed(much)!.readTransfer(question(transfer))).rejects.toThrow(Unwitnessed)
    expect(alarms).toEqual(["a large payment waits until a second node answers"])
    honest.fault = { kind: "down" }
    await expect(chain.agreed(much)!.readTransfer(question(transfer))).rejects.toThrow(ChainUnavailable)
  })
})
