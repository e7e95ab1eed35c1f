import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createEvmChain, type EvmChainOptions } from "../../../server/chains/evm.ts"
import { createNode } from "../../../server/chains/node.ts"
import { type Chain, ChainMismatch, ChainUnavailable } from "../../../server/ports/chain.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { exactEip3009 } from "../../../shared/schemes/exact-eip3009.ts"
import { lowerAddress } from "../../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { randomAccount, randomHex32 } from "../../support/payments.ts"
import { type RpcProxy, startRpcProxy } from "../../support/rpc-proxy.ts"
import { eventually } from "../../support/service.ts"

const [usdc] = sepolia.assets
const asset = lowerAddress(usdc.address)
const headMethod = "eth_getBlockByNumber"

let node: LocalChain
let first: RpcProxy
let second: RpcProxy
let time: number
let logged: { level: string; message: string; fields: Record<string, unknown> }[]
beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  await node.request("anvil_mine", ["0x20"])
})
afterAll(() => node.stop())
beforeEach(async () => {
  first = await startRpcProxy(node.rpcUrl)
  second = await startRpcProxy(node.rpcUrl)
  time = 0
  logged = []
})
afterEach(async () => {
  await first.close()
  await second.close()
})

const logAt = (level: string) => (fields: Record<string, unknown>, message: string) =>
  void logged.push({ level, message, fields })
const log = { debug: logAt("debug"), info: logAt("info"), warn: logAt("warn"), error: logAt("error") }

const open = (change: Partial<EvmChainOptions> = {}): Chain =>
  createEvmChain({
    network: sepolia,
    assets: [usdc],
    rpcUrls: [first.url, second.url],
    timeoutMs: 200,
    clock: () => time,
    chance: () => 1,
    log,
    ...change,
  })

const asked = (proxy: RpcProxy, method = headMethod) => proxy.calls.get(method) ?? 0
/** Resolves once the background check of a node has logged the message. */
const found = (message: string) =>
  eventually(
    async () => logged.map((line) => line.message),
    (messages) => messages.includes(message),
  )
const wrongChainMessage = "a node is of another chain and is not asked"

const lie = (proxy: RpcProxy, method: string, change: (result: never) => unknown) => {
  proxy.fault = { kind: "lie", method, change: (result) => change(result as never) }
}
const older = (hex: string) => `0x${(BigInt(hex) - 10n).toString(16)}`
const olderBlock = (block: { number: string }) => ({ ...block, number: older(block.number) })

describe("a failing node", () => {
  it("DOS-14: costs its timeout once, is skipped, and is asked again when it recovers", async () => {
    const chain = open({ clock: () => performance.now() + time })
    let release = () => {}
    first.fault = {
      kind: "hold",
      method: headMethod,
      until: new Promise((resolve) => {
        release = resolve
      }),
    }
    for (let turn = 0; turn < 5; turn += 1) await chain.head()
    expect([asked(first), asked(second)]).toEqual([1, 5])
    first.fault = undefined
    release()
    time += 60_000
    await chain.head()
    expect([asked(first), asked(second)]).toEqual([1, 6])
    await found("a node answers again")
    await chain.head()
    expect([asked(first), asked(second)]).toEqual([2, 6])
    expect(logged.map(({ message, fields }) => [message, fields.node])).toEqual([
      ["a node does not answer and is left alone for a while", 1],
      ["a node answers again", 1],
    ])
  })

  it("DOS-14: is skipped for a growing time with bounded jitter", async () => {
    const chance = [0, 1, 0, 1, 0, 1, 0, 1]
    const { url } = first
    const alone = createNode({
      ...{ url, place: 1, network: sepolia, timeoutMs: 5000, log, clock: () => time },
      ...{ chance: () => chance.shift()!, spend: async () => {} },
    })
    first.fault = { kind: "down" }
    const rests: number[] = []
    while (chance.length > 0) {
      await expect(alone.greet()).rejects.toThrow()
      const since = time
      while (!alone.isRested()) time += 250
      rests.push(time - since)
    }
    expect(rests).toEqual([250, 1000, 1000, 4000, 4000, 16_000, 15_000, 30_000])
    expect(logged).toHaveLength(1)
  })

  it("DOS-14: when alone, is probed by one caller at a time until it recovers", async () => {
    const chain = open({ rpcUrls: [first.url], timeoutMs: 5000 })
    const crowd = () => Promise.allSettled(Array.from({ length: 40 }, () => chain.head()))
    first.fault = { kind: "down" }
    await expect(chain.head()).rejects.toThrow(ChainUnavailable)
    const before = asked(first, "eth_chainId")
    await crowd()
    expect(asked(first)).toBe(0)
    expect(asked(first, "eth_chainId") - before).toBeLessThanOrEqual(2)
    first.fault = undefined
    expect((await crowd()).every(({ status }) => status === "fulfilled")).toBe(true)
    expect(asked(first)).toBe(40)
  })

  it("DOS-14: when alone and hanging, delays one caller and fails the others at once", async () => {
    const chain = open({ rpcUrls: [first.url], clock: () => performance.now() })
    await chain.head()
    first.fault = { kind: "hold", method: headMethod, until: new Promise(() => {}) }
    await expect(chain.head()).rejects.toThrow(ChainUnavailable)
    const since = performance.now()
    await expect(chain.head()).rejects.toThrow(ChainUnavailable)
    expect(performance.now() - since).toBeLessThan(100)
    expect(asked(first)).toBe(2)
  })

  it("is not assumed when a node rejects one request, so no caller causes an outage", async () => {
    const chain = open()
    await chain.head()
    await expect(chain.send("0x02ff")).rejects.toThrow(ChainUnavailable)
    await chain.head()
    expect([asked(first), asked(second)]).toEqual([2, 0])
    expect(logged).toEqual([])
  })
})

describe("a node of another chain", () => {
  const switchChain = () => lie(first, "eth_chainId", () => "0x1")

  it("SET-30: is asked nothing more when it appears after an outage; others answer", async () => {
    const chain = open()
    await chain.ready()
    first.fault = { kind: "down" }
    await chain.head()
    switchChain()
    time += 60_000
    await chain.head()
    await found(wrongChainMessage)
    const before = asked(first)
    time += 60_000
    for (let turn = 0; turn < 3; turn += 1) await chain.head()
    expect(asked(first)).toBe(before)
    expect(logged.filter(({ level }) => level === "error")).toEqual([
      {
        level: "error",
        message: wrongChainMessage,
        fields: { network: sepolia.id, node: 1 },
      },
    ])
  })

  it("SET-30: is found without an outage and refused when there is no other node", async () => {
    const chain = open({ rpcUrls: [first.url] })
    await chain.head()
    switchChain()
    await chain.head()
    time += 60_000
    await expect(chain.head()).rejects.toThrow(ChainMismatch)
    await expect(chain.ready()).rejects.toThrow(ChainMismatch)
  })

  it("SET-30: raises an alarm at start although another node answers", async () => {
    lie(second, "eth_chainId", () => "0x1")
    await open().ready()
    await found(wrongChainMessage)
    expect(logged).toMatchObject([{ level: "error", fields: { node: 2 } }])
  })
})

describe("a lagging node", () => {
  const transfer = {
    payer: lowerAddress(randomAccount().address),
    payTo: asset,
    value: 1n,
    validAfter: 0n,
    validBefore: 1n,
    nonce: randomHex32(),
    signature: "0x",
  } as const
  const read = (chain: Chain) => chain.readTransfer({ scheme: exactEip3009, asset, transfer })
  /** The block number is the sixth word of the answer. */
  const olderReading = (hex: string) =>
    `${hex.slice(0, 322)}${older(`0x${hex.slice(322, 386)}`)
      .slice(2)
      .padStart(64, "0")}${hex.slice(386)}`

  it("SET-28: is replaced by another node's answer and asked last for a while", async () => {
    const chain = open()
    const { number } = await chain.head()
    lie(first, headMethod, olderBlock)
    expect((await chain.head()).number).toBe(number)
    expect((await chain.head()).number).toBe(number)
    expect([asked(first), asked(second)]).toEqual([2, 2])
    time += sepolia.blockSeconds * 1000
    first.fault = undefined
    await chain.head()
    expect([asked(first), asked(second)]).toEqual([3, 2])
    expect(logged).toMatchObject([{ level: "warn", message: "a node lags behind", fields: { node: 1 } }])
  })

  it("SET-28: is not believed about a payment, even when it is the only node", async () => {
    const chain = open({ rpcUrls: [first.url] })
    await chain.head()
    lie(first, "eth_call", olderReading)
    await expect(read(chain)).rejects.toThrow(ChainUnavailable)
    first.fault = undefined
    expect((await read(chain)).used).toBe(false)
  })

  it("SET-28: is not believed about absence; a node with the newest block is asked", async () => {
    const chain = open()
    await chain.head()
    lie(first, "eth_blockNumber", older)
    const before = asked(second, "eth_getTransactionReceipt")
    expect(await chain.receipt(randomHex32())).toBeNull()
    expect(await chain.findLogs({ address: asset, topics: [], fromBlock: 0n })).toEqual([])
    expect(asked(second, "eth_getTransactionReceipt")).toBe(before + 1)
    expect(asked(second, "eth_getLogs")).toBe(1)
  })

  it("SET-28: is believed after 30 s, so that a reorg does not block reads for ever", async () => {
    const chain = open({ rpcUrls: [first.url] })
    const { number } = await chain.head()
    lie(first, headMethod, olderBlock)
    await expect(chain.head()).rejects.toThrow(ChainUnavailable)
    expect(asked(first)).toBe(2)
    time = 29_999
    await expect(chain.head()).rejects.toThrow(ChainUnavailable)
    time = 30_000
    expect((await chain.head()).number).toBe(number - 10n)
  })
})
