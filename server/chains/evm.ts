/** A live connection to one EVM network by JSON-RPC. */
import {
  BlockNotFoundError,
  type BlockTag,
  createPublicClient,
  decodeAbiParameters,
  defineChain,
  encodeDeployData,
  fallback,
  http,
  numberToHex,
  RpcRequestError,
  TransactionReceiptNotFoundError,
  type Transport,
} from "viem"
import { domainSeparator, type Hex, lowerAddress } from "../../shared/evm.ts"
import { type AssetInfo, domainOf, type NetworkInfo } from "../../shared/network.ts"
import {
  type Chain,
  ChainMismatch,
  ChainUnavailable,
  type FoundLog,
  type Receipt,
  type SendResult,
} from "../ports.ts"
import { intakeReadAbi, intakeReadCode, intakeReadResult } from "./intake-read.ts"
import { isDevelopmentClient } from "./well-known.ts"

export type EvmChainOptions = {
  readonly network: NetworkInfo
  /** On sale: only their domains are compared. */
  readonly assets: readonly AssetInfo[]
  /** In order of preference: the next one is asked when the one before does not answer. */
  readonly rpcUrls: readonly string[]
  /** Of one request to one node. */
  readonly timeoutMs?: number
  /** Blocks in one request for logs: providers refuse longer ranges. */
  readonly logBlocks?: bigint
}

export function createEvmChain(options: EvmChainOptions): Chain {
  const { network, assets, rpcUrls, timeoutMs = 5000, logBlocks = 5000n } = options
  const client = createPublicClient({
    // Room for the base fee to double, which takes at least six full blocks.
    chain: defineChain({
      id: network.chainId,
      name: network.name,
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      rpcUrls: { default: { http: [] } },
      fees: { baseFeeMultiplier: 2 },
    }),
    transport: fallback(
      rpcUrls.map((url) => checkedHttp(url, network.chainId, timeoutMs)),
      { rank: false, retryCount: 0 },
    ),
  })

  const call = (data: Hex, to?: Hex): Promise<Hex> =>
    // Not `pending`: "pending is what is not known to be mined at or before N" holds for a mined block N only.
    client.request({ method: "eth_call", params: [to ? { to, data } : { data }, "latest"] })

  async function prove(): Promise<void> {
    await asking("its chain id", () => client.getChainId())
    await Promise.all(
      assets.map(async (asset) => {
        const found = await asking("for the asset's domain", async () => {
          try {
            // DOMAIN_SEPARATOR()
            return await call("0x3644e515", asset.address)
          } catch (error) {
            if (isRevert(error)) return "0x"
            throw error
          }
        })
        if (found.toLowerCase() === domainSeparator(domainOf(network, asset))) return
        throw new ChainMismatch(
          `the EIP-712 domain of ${asset.symbol} on ${network.id} is not the configured one`,
        )
      }),
    )
  }

  let proven: Promise<void> | undefined
  return {
    network,

    ready() {
      proven ??= prove().catch((error) => {
        proven = undefined
        throw error
      })
      return proven
    },

    isDevelopment: () =>
      asking("what it is", async () =>
        isDevelopmentClient(await client.request({ method: "web3_clientVersion" })),
      ),

    readTransfer: ({ asset, transfer, call: transferCall }) =>
      asking("about a payment", async () => {
        const { payer, nonce, payTo } = transfer
        const data = encodeDeployData({
          abi: intakeReadAbi,
          bytecode: intakeReadCode,
          args: [asset, payer, nonce, payTo, transferCall],
        })
        const [payerCodeLength, balance, used, transferred, received, blockNumber, blockTime] =
          decodeAbiParameters(intakeReadResult, await call(data))
        return {
          payerHasCode: payerCodeLength > 0n,
          balance,
          used,
          transferred,
          received,
          blockNumber,
          blockTime: Number(blockTime),
        }
      }),

    head: () =>
      asking("for the newest block", async () => {
        const { number, hash, timestamp } = await client.getBlock({ blockTag: "latest" })
        return { number, hash: lower(hash), time: Number(timestamp) }
      }),

    blockHash: (number) =>
      asking("for a block", async () => {
        const block = await client.request({
          method: "eth_getBlockByNumber",
          params: [numberToHex(number), false],
        })
        return block?.hash ? lower(block.hash) : null
      }),

    finalized: () =>
      asking("for the newest final block", async () => {
        try {
          const { number } = await client.getBlock({ blockTag: "finalized" })
          return number
        } catch (error) {
          if (!knowsNoTag(error)) throw error
          const head = await client.getBlockNumber({ cacheTime: 0 })
          const depth = BigInt(network.finalityBlocks)
          return head > depth ? head - depth : 0n
        }
      }),

    nonceOf: (address) =>
      asking("for a nonce", () => client.getTransactionCount({ address, blockTag: "latest" })),

    gasBalance: (address) =>
      asking("for a balance", () => client.getBalance({ address, blockTag: "latest" })),

    fees: () =>
      asking("for fees", async () => {
        const { maxFeePerGas, maxPriorityFeePerGas } = await client.estimateFeesPerGas({ type: "eip1559" })
        return { maxFeePerGas, maxPriorityFeePerGas }
      }),

    estimateGas: (transaction) =>
      asking("for gas", async () => {
        try {
          const gas = await client.request({ method: "eth_estimateGas", params: [transaction] })
          return BigInt(gas)
        } catch (error) {
          if (isRevert(error)) return null
          throw error
        }
      }),

    send: (raw) =>
      asking("to a transaction", async () => {
        try {
          await client.request({ method: "eth_sendRawTransaction", params: [raw] }, { retryCount: 0 })
          return "taken"
        } catch (error) {
          const result = sendResult(rpcText(error))
          if (result) return result
          throw error
        }
      }),

    receipt: (hash) =>
      asking("for a receipt", async (): Promise<Receipt | null> => {
        try {
          const receipt = await client.getTransactionReceipt({ hash })
          return {
            transactionHash: lower(receipt.transactionHash),
            blockNumber: receipt.blockNumber,
            blockHash: lower(receipt.blockHash),
            success: receipt.status === "success",
            logs: receipt.logs.map((log) => ({
              address: lowerAddress(log.address),
              topics: log.topics.map(lower),
              data: lower(log.data),
              logIndex: log.logIndex,
            })),
          }
        } catch (error) {
          if (error instanceof TransactionReceiptNotFoundError) return null
          throw error
        }
      }),

    findLogs: ({ asset, topics, fromBlock }) =>
      asking("for logs", async () => {
        const found = new Map<Hex, FoundLog>()
        const head = await client.getBlockNumber({ cacheTime: 0 })
        for (let from = fromBlock; from <= head; from += logBlocks) {
          const last = from + logBlocks > head
          // The newest range is left open, so that a block that came meanwhile is seen too.
          const toBlock: Hex | BlockTag = last ? "latest" : numberToHex(from + logBlocks - 1n)
          const logs = await client.request({
            method: "eth_getLogs",
            params: [{ address: asset, topics: mutable(topics), fromBlock: numberToHex(from), toBlock }],
          })
          for (const { transactionHash, blockNumber } of logs)
            if (transactionHash && blockNumber)
              found.set(lower(transactionHash), {
                transactionHash: lower(transactionHash),
                blockNumber: BigInt(blockNumber),
              })
        }
        return [...found.values()]
      }),
  }
}

/** One node, believed only once it told the right chain id: any of several may be a stranger (security.md SET-30). */
function checkedHttp(url: string, chainId: number, timeoutMs: number): Transport {
  const node = http(url, { timeout: timeoutMs, retryCount: 1, retryDelay: 100 })
  let checked: Promise<void> | undefined
  return (config) => {
    const transport = node(config)
    const request: typeof transport.request = async (args, requestOptions) => {
      checked ??= checkChainId(transport.request({ method: "eth_chainId" }), chainId).catch((error) => {
        checked = undefined
        throw error
      })
      await checked
      return transport.request(args, requestOptions)
    }
    return { ...transport, request }
  }
}

async function checkChainId(answer: Promise<unknown>, wanted: number): Promise<void> {
  const found = Number(await answer)
  if (found !== wanted) throw new ChainMismatch(`a node is of chain ${found}, wanted ${wanted}`)
}

/** Carries out a request; what goes wrong says nothing of the node, because its address may hold a secret. */
async function asking<T>(what: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request()
  } catch (error) {
    const mismatch = causes(error).find((cause) => cause instanceof ChainMismatch)
    throw mismatch ?? new ChainUnavailable(`the node did not answer when asked ${what}`, { cause: error })
  }
}

const sendResults: readonly [RegExp, SendResult][] = [
  [/already ?known|already imported|known transaction/i, "taken"],
  [/nonce (is )?too low|OldNonce/i, "nonce_too_low"],
  [/underpriced|FeeTooLow|less than block base fee/i, "underpriced"],
  [/insufficient ?funds/i, "unfunded"],
]

const sendResult = (text: string): SendResult | undefined =>
  sendResults.find(([pattern]) => pattern.test(text))?.[1]

const isRevert = (error: unknown): boolean =>
  /execution reverted|always failing transaction|gas required exceeds/i.test(rpcText(error))

/** No block is final yet, or the node has never heard of the word. */
const knowsNoTag = (error: unknown): boolean =>
  causes(error).some((cause) => cause instanceof BlockNotFoundError) ||
  /finalized|unknown block|block not found|invalid (block|argument|params)/i.test(rpcText(error))

/** What the node itself said, if it is the node that refused. */
const rpcText = (error: unknown): string =>
  causes(error)
    .map((cause) => (cause instanceof RpcRequestError ? cause.details : ""))
    .join(" ")

function causes(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  for (let at = error; at instanceof Error && chain.length < 20; at = at.cause) chain.push(at)
  return chain
}

const lower = (hex: Hex): Hex => hex.toLowerCase() as Hex

type Topics = (Hex | Hex[] | null)[]
const mutable = (topics: readonly (Hex | readonly Hex[] | null)[]): Topics =>
  topics.map((topic) => (topic === null || typeof topic === "string" ? topic : [...topic]))
