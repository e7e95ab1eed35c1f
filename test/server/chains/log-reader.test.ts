import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createEvmChain } from "../../../server/chains/evm.ts"
import { type Chain, ChainUnavailable } from "../../../server/ports/chain.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { lowerAddress } from "../../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { randomAccount } from "../../support/payments.ts"
import { type RpcProxy, startRpcProxy } from "../../support/rpc-proxy.ts"

const assets = sepolia.assets
const asset = lowerAddress(assets[0].address)
const payments = 12
const blocksBetween = 40

let node: LocalChain
let proxy: RpcProxy
let fromBlock: bigint
let toBlock: bigint
/** Lengths of the ranges that were asked for. */
let lengths: number[] = []
/** The node's error for a range that is too long; undefined for a node without a limit. */
let limit: { readonly blocks: number; readonly status: number; readonly body: object } | undefined
const lines: { readonly message: string; readonly fields: Record<string, unknown> }[] = []
const note = (fields: Record<string, unknown>, message: string) => void lines.push({ fields, message })

beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0 })
  fromBlock = BigInt((await node.request("eth_blockNumber")) as string) + 1n
  for (let each = 0; each < payments; each++) {
    await node.mint(randomAccount().address, 1n)
    await node.request("anvil_mine", [`0x${blocksBetween.toString(16)}`])
  }
  toBlock = BigInt((await node.request("eth_blockNumber")) as string)
})
afterAll(() => node.stop())
beforeEach(async () => {
  lengths = []
  lines.length = 0
  proxy = await startRpcProxy(node.rpcUrl)
  proxy.intercept = async ({ asked, text }, forward) => {
    const [question] = asked
    if (question?.method !== "eth_getLogs") return forward(text)
    const [range] = question.params as [{ fromBlock: string; toBlock: string }]
    const end = range.toBlock === "latest" ? toBlock : BigInt(range.toBlock)
    const length = Number(end - BigInt(range.fromBlock)) + 1
    lengths.push(length)
    if (!limit || length <= limit.blocks) return forward(text)
    return { status: limit.status, body: JSON.stringify({ jsonrpc: "2.0", id: question.id, ...limit.body }) }
  }
})
afterEach(async () => {
  limit = undefined
  await proxy.close()
})

const connect = (): Chain =>
  createEvmChain({
    network: sepolia,
    assets,
    rpcUrls: [proxy.url],
    log: { debug: note, info: note, warn: note, error: note },
  })
const filter = () => ({ address: asset, topics: [], fromBlock })
const refusal = (
  blocks: number,
  error: object = { code: -32005, message: "limit exceeded" },
  status = 200,
) => ({
  blocks,
  status,
  body: { error },
})
const linesAboutRanges = () => lines.filter(({ message }) => message.includes("ranges of logs"))

describe("logs of a node that limits the range of blocks", () => {
  it.each([1, 5, 10, 500])("are read whole within a limit of %d blocks", async (blocks) => {
    limit = refusal(blocks)
    const chain = connect()
    expect(await chain.logs({ ...filter(), toBlock })).toHaveLength(payments)
    expect(await chain.findLogs(filter())).toHaveLength(payments)
    const ranges = 2 * Math.ceil(Number(toBlock - fromBlock + 1n) / blocks)
    // Halving finds at least half of the limit, in as many steps as the first range has bits.
    expect(lengths.length).toBeLessThan(2 * ranges + 30)
  })

  it.each([
    ["a code for limits", { code: -32005, message: "query returned more than 10000 results" }, 200],
    ["a code for parameters", { code: -32602, message: "eth_getLogs is limited to a 10 block range" }, 200],
    ["the code of a revert", { code: -32000, message: "execution reverted" }, 200],
    ["words of another language", { code: -1, message: "Bereich zu gross" }, 200],
    ["status 400", { code: -32600, message: "block range too large" }, 400],
    ["status 413", { code: -32008, message: "response is too big" }, 413],
  ])("are read whole when the refusal is %s", async (_name, error, status) => {
    limit = refusal(10, error, status)
    expect(await connect().logs({ ...filter(), toBlock })).toHaveLength(payments)
  })

  it("are asked for in short ranges from then on, and the log says why, once", async () => {
    limit = refusal(10)
    const chain = connect()
    await chain.logs({ ...filter(), toBlock })
    lengths = []
    await chain.logs({ ...filter(), toBlock: fromBlock + 99n })
    expect(Math.max(...lengths)).toBeLessThanOrEqual(10)
    expect(linesAboutRanges()).toEqual([
      {
        message: expect.stringContaining("refuses longer ranges"),
        fields: expect.objectContaining({ code: -32005 }),
      },
    ])
    expect(linesAboutRanges()[0]?.fields.blocks).toBeLessThanOrEqual(10)
  })

  it("are asked for in longer ranges again once the limit is lifted", async () => {
    limit = refusal(4)
    const chain = connect()
    await chain.logs({ ...filter(), toBlock })
    limit = undefined
    lengths = []
    await chain.logs({ ...filter(), toBlock })
    await chain.logs({ ...filter(), toBlock })
    expect(Math.max(...lengths)).toBeGreaterThan(8)
  })

  it("are not read when a single block is refused, and the log says so", async () => {
    limit = refusal(0)
    await expect(connect().logs({ ...filter(), toBlock })).rejects.toThrow(ChainUnavailable)
    expect(lines.map(({ message }) => message)).toContain("a node refuses the logs of a single block")
  })

  it("are not asked for again and again from a node that is down or busy", async () => {
    for (const status of [429, 503]) {
      lengths = []
      limit = { blocks: 0, status, body: {} }
      await expect(connect().logs({ ...filter(), toBlock })).rejects.toThrow("no node answered")
      expect(lengths.length).toBeLessThanOrEqual(2)
    }
  })
})
