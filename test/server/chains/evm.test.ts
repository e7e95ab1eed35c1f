import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import { encodeFunctionData } from "viem"
import { generatePrivateKey } from "viem/accounts"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createEvmChain } from "../../../server/chains/evm.ts"
import { createRelayer } from "../../../server/chains/relayer.ts"
import { type Chain, ChainMismatch, ChainUnavailable } from "../../../server/ports/chain.ts"
import { base } from "../../../shared/networks/base.ts"
import { domainOf } from "../../../shared/networks/network.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { exactEip3009 } from "../../../shared/schemes/exact-eip3009.ts"
import type { SignedTransfer } from "../../../shared/schemes/scheme.ts"
import { type Hex, keccak256, lowerAddress } from "../../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { testUsdc } from "../../support/contracts/artifacts/test-usdc.ts"
import { type Account, randomAccount, randomHex32 } from "../../support/payments.ts"
import { startRpcProxy } from "../../support/rpc-proxy.ts"

const assets = sepolia.assets
const [usdc] = assets
const asset = lowerAddress(usdc.address)
const value = 10_000n
const secret = "a-secret-path"

let node: LocalChain
let chain: Chain
const payTo = lowerAddress(randomAccount().address)

beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0 })
  chain = createEvmChain({ network: sepolia, assets, rpcUrls: [node.rpcUrl] })
  // The test mines every block itself.
  await node.request("evm_setAutomine", [false])
})
afterAll(() => node.stop())

async function richAccount(): Promise<Account> {
  const account = randomAccount()
  await mined(
    encodeFunctionData({ abi: testUsdc.abi, functionName: "mint", args: [account.address, 30_000n] }),
  )
  return account
}

async function pay(account: Account): Promise<SignedTransfer> {
  const { time } = await chain.head()
  const terms = {
    payer: lowerAddress(account.address),
    payTo,
    value,
    validAfter: 0n,
    validBefore: BigInt(time + 300),
    nonce: randomHex32(),
  }
  return { ...terms, signature: await exactEip3009.sign(terms, domainOf(sepolia, usdc), account) }
}

const read = (transfer: SignedTransfer) => chain.readTransfer({ scheme: exactEip3009, asset, transfer })

async function signedCall(data: Hex, nonce: number, relayer = createRelayer(generatePrivateKey())) {
  await node.fund(relayer.address)
  const fees = await chain.fees()
  const { hash, raw } = await relayer.sign({
    chainId: sepolia.chainId,
    nonce,
    to: asset,
    data,
    gas: 200_000n,
    fees,
  })
  return { relayer, hash, raw }
}

async function mined(data: Hex): Promise<Hex> {
  const { hash, raw } = await signedCall(data, 0)
  expect(await chain.send(raw)).toBe("taken")
  await node.request("evm_mine")
  return hash
}

const switchAsset = (functionName: "pause" | "unpause") =>
  mined(encodeFunctionData({ abi: testUsdc.abi, functionName }))

const rejection = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => Promise.reject(new Error("the promise did not reject")),
    (error: Error) => error,
  )

describe("ready()", () => {
  it("reads chain id and asset domains once", async () => {
    const proxy = await startRpcProxy(node.rpcUrl)
    const proxied = createEvmChain({ network: sepolia, assets, rpcUrls: [proxy.url] })
    await proxied.ready()
    const asked = new Map(proxy.calls)
    await proxied.ready()
    expect(proxy.calls).toEqual(asked)
    await proxy.close()
  })

  it("SET-30: refuses a node of another chain at every request", async () => {
    const wrongChain = createEvmChain({ network: base, assets: [], rpcUrls: [node.rpcUrl] })
    await expect(wrongChain.ready()).rejects.toThrow(ChainMismatch)
    await expect(wrongChain.head()).rejects.toThrow(ChainMismatch)
  })

  it("SET-34: refuses an asset with another EIP-712 domain, or with no code", async () => {
    const wrong = { ...usdc, eip712: { name: "USD Coin", version: "2" } }
    const wrongDomain = createEvmChain({ network: sepolia, assets: [wrong], rpcUrls: [node.rpcUrl] })
    await expect(wrongDomain.ready()).rejects.toThrow(ChainMismatch)
    const nothing = { ...usdc, address: payTo }
    const noCode = createEvmChain({ network: sepolia, assets: [nothing], rpcUrls: [node.rpcUrl] })
    await expect(noCode.ready()).rejects.toThrow(ChainMismatch)
  })

  it("SET-26: asks again after a failure", async () => {
    const proxy = await startRpcProxy(node.rpcUrl)
    const proxied = createEvmChain({ network: sepolia, assets, rpcUrls: [proxy.url] })
    proxy.fault = { kind: "down" }
    await expect(proxied.ready()).rejects.toThrow(ChainUnavailable)
    proxy.fault = undefined
    await proxied.ready()
    await proxy.close()
  })
})

describe("a node that does not answer", () => {
  it("causes ChainUnavailable whose message names no address of the node", async () => {
    const url = `http://127.0.0.1:9/${secret}`
    const down = createEvmChain({ network: sepolia, assets, rpcUrls: [url], timeoutMs: 500 })
    const transfer = await pay(randomAccount())
    const asks = [
      down.ready(),
      down.readTransfer({ scheme: exactEip3009, asset, transfer }),
      down.head(),
      down.blockHash(1n),
      down.finalized(),
      down.nonceOf(payTo),
      down.gasBalance(payTo),
      down.fees(),
      down.estimateGas({ from: payTo, to: asset, data: "0x" }),
      down.send("0x02"),
      down.receipt(randomHex32()),
      down.findLogs({ address: asset, topics: [], fromBlock: 0n }),
    ]
    for (const error of await Promise.all(asks.map(rejection))) {
      expect(error).toBeInstanceOf(ChainUnavailable)
      expect(error.message).not.toMatch(/127\.0\.0\.1|:9|http|a-secret/)
      expect(error.cause).toBeDefined()
    }
  })

  it("is skipped after its timeout and the next node is asked", async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const patient = createEvmChain({
      network: sepolia,
      assets,
      rpcUrls: [url, node.rpcUrl],
      timeoutMs: 100,
    })
    expect((await patient.head()).number).toBe((await chain.head()).number)
    silent.closeAllConnections()
    await new Promise((resolve) => silent.close(resolve))
  })
})

describe("readTransfer()", () => {
  it("reports a valid payment as transferred in full", async () => {
    const head = await chain.head()
    const transfer = await pay(await richAccount())
    const reading = await read(transfer)
    expect(reading).toMatchObject({
      payerCode: null,
      balance: 30_000n,
      used: false,
      transferred: true,
      received: value,
    })
    expect(reading.blockNumber).toBeGreaterThanOrEqual(head.number)
    expect(reading.blockTime).toBeGreaterThanOrEqual(head.time)
  })

  it("SET-01: reports a payment without balance as not transferred", async () => {
    expect(await read(await pay(randomAccount()))).toMatchObject({
      balance: 0n,
      used: false,
      transferred: false,
      received: 0n,
    })
  })

  it("reports a payment with a wrong signature as not transferred", async () => {
    const transfer = await pay(await richAccount())
    const forged = { ...transfer, value: value + 1n }
    expect(await read(forged)).toMatchObject({ balance: 30_000n, used: false, transferred: false })
  })

  it("reports a used nonce", async () => {
    const transfer = await pay(await richAccount())
    await mined(exactEip3009.settlementCall(asset, transfer).data)
    expect(await read(transfer)).toMatchObject({ balance: 20_000n, used: true, transferred: false })
  })

  it("reports that the payer has code", async () => {
    const account = await richAccount()
    await node.request("anvil_setCode", [account.address, `0xef0100${"11".repeat(20)}`])
    expect(await read(await pay(account))).toMatchObject({
      payerCode: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      transferred: false,
    })
  })

  it("reports a payment of a paused asset as not transferred", async () => {
    const transfer = await pay(await richAccount())
    await switchAsset("pause")
    expect(await read(transfer)).toMatchObject({ balance: 30_000n, used: false, transferred: false })
    await switchAsset("unpause")
    expect(await read(transfer)).toMatchObject({ transferred: true })
  })
})

describe("send()", () => {
  it("maps a node's refusal of a transaction to a typed outcome", async () => {
    const payments = await Promise.all([richAccount(), richAccount()])
    const calls = await Promise.all(
      payments.map(async (account) => exactEip3009.settlementCall(asset, await pay(account)).data),
    )
    const first = await signedCall(calls[0]!, 0)
    expect(await chain.send(first.raw)).toBe("taken")
    expect(await chain.send(first.raw)).toBe("taken")
    const other = await signedCall(calls[1]!, 0, first.relayer)
    expect(await chain.send(other.raw)).toBe("underpriced")
    await node.request("evm_mine")
    expect(await chain.send(other.raw)).toBe("nonce_too_low")
    const poor = await signedCall("0x", 0)
    await node.fund(poor.relayer.address, 1n)
    expect(await chain.send(poor.raw)).toBe("unfunded")
    await expect(chain.send("0x02ff")).rejects.toThrow(ChainUnavailable)
  })

  it("SET-16: throws when the answer is lost, and resending the bytes succeeds", async () => {
    const proxy = await startRpcProxy(node.rpcUrl)
    const proxied = createEvmChain({ network: sepolia, assets, rpcUrls: [proxy.url] })
    const data = exactEip3009.settlementCall(asset, await pay(await richAccount())).data
    const { raw, hash } = await signedCall(data, 0)
    proxy.fault = { kind: "lose-answer", method: "eth_sendRawTransaction" }
    await expect(proxied.send(raw)).rejects.toThrow(ChainUnavailable)
    proxy.fault = undefined
    expect(await proxied.send(raw)).toBe("taken")
    await node.request("evm_mine")
    expect((await proxied.receipt(hash))?.success).toBe(true)
    await proxy.close()
  })
})

describe("a mined transaction", () => {
  it("is found by its hash and by its logs", async () => {
    const { number } = await chain.head()
    const transfer = await pay(await richAccount())
    const { raw, hash } = await signedCall(exactEip3009.settlementCall(asset, transfer).data, 0)
    expect(await chain.receipt(hash)).toBeNull()
    await chain.send(raw)
    await node.request("evm_mine")
    const receipt = await chain.receipt(hash)
    expect(receipt).toMatchObject({ transactionHash: hash, success: true })
    expect(exactEip3009.outcome(receipt!.logs, asset, transfer)).toMatchObject({ kind: "paid" })
    expect(await chain.blockHash(receipt!.blockNumber)).toBe(receipt!.blockHash)
    expect(await chain.blockHash(receipt!.blockNumber + 1_000_000n)).toBeNull()
    const { topics } = exactEip3009.outcomeLogs(asset, transfer)
    const found = [{ transactionHash: hash, blockNumber: receipt!.blockNumber }]
    expect(await chain.findLogs({ address: asset, topics, fromBlock: number })).toEqual(found)
    expect(await chain.findLogs({ address: asset, topics, fromBlock: receipt!.blockNumber + 1n })).toEqual([])
  })

  it("is found over a block range longer than one request allows", async () => {
    const account = await richAccount()
    const fromBlock = (await chain.head()).number + 1n
    const transfer = await pay(account)
    const hash = await mined(exactEip3009.settlementCall(asset, transfer).data)
    await node.request("anvil_mine", ["0xb"])
    const proxy = await startRpcProxy(node.rpcUrl)
    const proxied = createEvmChain({ network: sepolia, assets, rpcUrls: [proxy.url], logBlocks: 5n })
    const { topics } = exactEip3009.outcomeLogs(asset, transfer)
    expect(await proxied.findLogs({ address: asset, topics, fromBlock })).toMatchObject([
      { transactionHash: hash },
    ])
    expect(proxy.calls.get("eth_getLogs")).toBe(3)
    await proxy.close()
  })
})

describe("the newest final block", () => {
  it("comes from the node, or lies far behind the head if the node has none", async () => {
    await node.request("anvil_mine", ["0x80"])
    const { number } = await chain.head()
    expect(await chain.finalized()).toBe(number - 64n)
    const proxy = await startRpcProxy(node.rpcUrl)
    const proxied = createEvmChain({ network: sepolia, assets, rpcUrls: [proxy.url] })
    const change = (block: unknown, [tag]: unknown[]) => (tag === "finalized" ? null : block)
    proxy.fault = { kind: "lie", method: "eth_getBlockByNumber", change }
    expect(await proxied.finalized()).toBe(number - BigInt(sepolia.finalityBlocks))
    await proxy.close()
  })
})

describe("gas", () => {
  it("is estimated for a call that succeeds and null for one that reverts", async () => {
    const transfer = await pay(await richAccount())
    const call = { from: payTo, to: asset }
    const gas = await chain.estimateGas({ ...call, data: exactEip3009.settlementCall(asset, transfer).data })
    expect(gas).toBeGreaterThan(50_000n)
    expect(gas).toBeLessThan(150_000n)
    const forged = exactEip3009.settlementCall(asset, { ...transfer, value: 1n }).data
    expect(await chain.estimateGas({ ...call, data: forged })).toBeNull()
  })

  it("fees leave room for the base fee to double", async () => {
    await node.request("anvil_setNextBlockBaseFeePerGas", ["0x3b9aca00"])
    await node.request("evm_mine")
    const { maxFeePerGas, maxPriorityFeePerGas } = await chain.fees()
    expect(maxFeePerGas - maxPriorityFeePerGas).toBe(2_000_000_000n)
  })

  it("fees follow the gas price of a node that suggests no tip", async () => {
    const proxy = await startRpcProxy(node.rpcUrl)
    const plain = createEvmChain({ network: sepolia, assets: sepolia.assets, rpcUrls: [proxy.url] })
    try {
      proxy.intercept = async ({ asked }, forward) => {
        const [call] = asked
        if (call?.method !== "eth_maxPriorityFeePerGas") return forward()
        const error = { code: -32601, message: "" }
        return { status: 200, body: JSON.stringify({ jsonrpc: "2.0", id: call.id, error }) }
      }
      const [{ maxFeePerGas, maxPriorityFeePerGas }, price] = await Promise.all([
        plain.fees(),
        node.request("eth_gasPrice"),
      ])
      expect(maxPriorityFeePerGas).toBeGreaterThan(0n)
      // The base fee is in both: once in the price, and twice in the limit.
      const baseFee = BigInt(price as string) - maxPriorityFeePerGas
      expect(maxFeePerGas).toBe(2n * baseFee + maxPriorityFeePerGas)
    } finally {
      plain.close()
      await proxy.close()
    }
  })

  it("the relayer's balance and confirmed nonce are read from the chain", async () => {
    const { relayer, raw } = await signedCall("0x", 0)
    expect(await chain.gasBalance(relayer.address)).toBe(100n * 10n ** 18n)
    expect(await chain.nonceOf(relayer.address)).toBe(0)
    await chain.send(raw)
    expect(await chain.nonceOf(relayer.address)).toBe(0)
    await node.request("evm_mine")
    expect(await chain.nonceOf(relayer.address)).toBe(1)
  })
})

describe("the relayer", () => {
  it("signs the same transaction to the same bytes under their hash", async () => {
    const relayer = createRelayer(generatePrivateKey())
    const fees = { maxFeePerGas: 2n, maxPriorityFeePerGas: 1n }
    const order = { chainId: 1, nonce: 7, to: asset, data: "0x12", gas: 21_000n, fees } as const
    const signed = await relayer.sign(order)
    expect(await relayer.sign(order)).toEqual(signed)
    expect(signed).toEqual({ raw: signed.raw, hash: keccak256(signed.raw), ...fees })
    expect(signed.raw.startsWith("0x02")).toBe(true)
  })

  it("shows its key neither to inspect nor to JSON", () => {
    const key = generatePrivateKey()
    const relayer = createRelayer(key)
    const shown = inspect(relayer, { depth: 10, showHidden: true, getters: true }) + JSON.stringify(relayer)
    expect(shown).not.toContain(key.slice(2))
    expect(shown).not.toContain(BigInt(key).toString())
  })
})
