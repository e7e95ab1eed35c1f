/** Connects to one EVM network by JSON-RPC, through one node or several. */

import { type AssetInfo, domainOf, type NetworkInfo } from "../../shared/networks/network.ts"
import { domainSeparator } from "../../shared/values/evm.ts"
import { type Chain, ChainMismatch, type LocatedLog, type LogFilter, RequestRefused } from "../ports/chain.ts"
import type { Logger } from "../ports/runtime.ts"
import { createAgreement } from "./agreement.ts"
import { readAsset } from "./asset-question.ts"
import { createHeads, type HeadOptions } from "./heads.ts"
import { createLogReader, type LogPage } from "./log-reader.ts"
import { createNode, type OnCall } from "./node.ts"
import { createNodes } from "./nodes.ts"
import * as ask from "./questions.ts"
import { hasMethod, type SettlementMethod, settlementMethods } from "./settlement-methods.ts"

export type EvmChainOptions = {
  readonly network: NetworkInfo
  /** On sale: only their domains are compared. */
  readonly assets: readonly AssetInfo[]
  /** In order of preference: the next one is asked when the one before does not answer. */
  readonly rpcUrls: readonly string[]
  /** Of one request to one node. */
  readonly timeoutMs?: number
  /** Most blocks in one request for logs. Shorter ranges are used where a node refuses. */
  readonly logBlocks?: bigint
  /** From when on a node counts as lagging. */
  readonly heads?: Omit<HeadOptions, "clock">
  /** Nominal value above which two nodes must agree, in millionths of the currency; never when not given. */
  readonly agreementAbove?: bigint
  /** Waits until one more request may be made; unbounded when not given. */
  readonly spend?: () => Promise<void>
  /** Milliseconds of a monotonic clock. */
  readonly clock?: () => number
  /** In [0, 1). */
  readonly chance?: () => number
  readonly log?: Logger
  /** Called after each request to a node. */
  readonly onCall?: OnCall
}

export function createEvmChain(options: EvmChainOptions): Chain & { close(): void } {
  const { network, assets, rpcUrls, timeoutMs = 5000, logBlocks = 5000n } = options
  const {
    agreementAbove,
    spend = async () => {},
    clock = () => performance.now(),
    chance = Math.random,
  } = options
  const { log = silent, onCall } = options
  const each = rpcUrls.map((url, index) =>
    createNode({ url, place: index + 1, network, timeoutMs, spend, clock, chance, log, onCall }),
  )
  const nodes = createNodes({
    network: network.id,
    nodes: each,
    heads: createHeads({ clock, ...options.heads }),
    behindMs: network.blockSeconds * 1000,
    clock,
    log,
  })

  const agreement = createAgreement({ network: network.id, nodes, clock, log })

  const logReader = createLogReader({ network: network.id, mostBlocks: logBlocks, log })

  async function prove(): Promise<void> {
    await nodes.ask("its chain id", async () => ({ value: undefined }))
    // Greets every node now, without waiting, so that a node of another chain raises its alarm before it is needed.
    for (const node of each) node.greet().catch(() => {})
    await Promise.all(
      assets.map(async (asset) => {
        const found = await nodes.ask("for the asset's domain", ask.domainSeparatorOf(asset.address))
        if (found === domainSeparator(domainOf(network, asset))) return
        throw new ChainMismatch(
          `the EIP-712 domain of ${asset.symbol} on ${network.id} is not the configured one`,
        )
      }),
    )
  }

  async function readLogs(filter: LogFilter, toBlock?: bigint): Promise<readonly LocatedLog[]> {
    const found: LocatedLog[] = []
    for (let next: bigint | null = filter.fromBlock; next !== null; ) {
      const question = logReader.page({ ...filter, fromBlock: next }, toBlock)
      const page: LogPage = await nodes.ask("for logs", question)
      found.push(...page.logs)
      next = page.next
    }
    return found
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

    isDevelopment: () => nodes.ask("what it is", ask.isDevelopment),
    async canSettle() {
      const methods = Object.keys(settlementMethods) as SettlementMethod[]
      await Promise.all(methods.map((method) => nodes.ask(`whether it takes ${method}`, hasMethod(method))))
    },
    readAsset: (query) => nodes.ask("about an asset", readAsset(query)),
    readTransfer: (input) => nodes.ask("about a payment", ask.readTransfer(input)),
    head: () => nodes.ask("for the newest block", ask.head),
    blockHash: (number) => nodes.find("for a block", ask.blockHash(number)),
    blockNumberOf: (hash) => nodes.find("for a block", ask.blockNumberOf(hash)),
    blockTime: (hash) => nodes.find("for the time of a block", ask.blockTime(hash)),
    finalized: () => nodes.ask("for the newest final block", ask.finalized(network.finalityBlocks)),
    nonceOf: (address) => nodes.ask("for a nonce", ask.nonceOf(address)),
    gasBalance: (address) => nodes.ask("for a balance", ask.gasBalance(address)),
    fees: () => nodes.ask("for fees", ask.fees),
    estimateGas: (transaction) => orNull(nodes.ask("for gas", ask.estimateGas(transaction))),
    dryRun: (call) => orNull(nodes.ask("what a call would do", ask.dryRun(call))),
    wasPaused: (asset, block) => nodes.ask("whether an asset was paused", ask.wasPaused(asset, block)),
    hasCode: (address) => nodes.ask("for code", ask.hasCode(address)),
    send: (raw) => nodes.ask("to take a transaction", ask.send(raw)),
    receipt: (hash) => nodes.ask("for a receipt", ask.receipt(hash)),
    agreed: (nominal) =>
      each.length > 1 && agreementAbove !== undefined && nominal > agreementAbove ? agreement : null,
    async findLogs(filter) {
      const found = await readLogs(filter)
      const byTransaction = found.map(
        ({ transactionHash, blockNumber }) => [transactionHash, blockNumber] as const,
      )
      return [...new Map(byTransaction)].map(([transactionHash, blockNumber]) => ({
        transactionHash,
        blockNumber,
      }))
    },
    logs: ({ toBlock, ...filter }) => readLogs(filter, toBlock),
    close() {
      for (const node of each) node.close()
    },
  }
}

/** A node that refuses to simulate a call has answered about this call only, in any wording. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof RequestRefused) return null
    throw error
  }
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
