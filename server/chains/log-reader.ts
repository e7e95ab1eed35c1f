/** Reads logs in ranges of blocks that are as long as each node allows, which is learned from its refusals. */
import { numberToHex } from "viem"
import type { Hex } from "../../shared/values/evm.ts"
import { least } from "../core/fees.ts"
import type { LocatedLog, LogFilter } from "../ports/chain.ts"
import type { Logger } from "../ports/runtime.ts"
import { locatedLogsOf, quantityOf } from "./answers.ts"
import { HttpFailed } from "./http-post.ts"
import { type RpcClient, RpcError } from "./json-rpc.ts"
import { causes } from "./node-errors.ts"
import type { Question } from "./nodes.ts"

/** `next`: the block at which the following page begins; null when the page is the last one. */
export type LogPage = { readonly logs: readonly LocatedLog[]; readonly next: bigint | null }

export type LogReader = {
  /** One page of the logs up to `toBlock`, or up to the newest block when it is not given. */
  page(filter: LogFilter, toBlock?: bigint): Question<LogPage>
}

/** The knowledge of one node. */
type Range = {
  /** Length of the ranges to ask for, and how many of that length were answered since it was changed. */
  blocks: bigint
  answered: number
  /** Shortest length that was logged, so that a range that grows and is refused again is not logged again. */
  logged: bigint
  /** The node refuses even a single block. */
  isBarred: boolean
}

/** A page is short, because the newest block that its node knows must still be new when the page is read. */
const rangesPerPage = 8
/** After so many answers a longer range is tried: limits are lifted, and some depend on the number of results. */
const answersBeforeGrowth = 50
/** HTTP statuses of a node that is in trouble or wants another key: a shorter range changes nothing. */
const otherStatuses: ReadonlySet<number> = new Set([401, 402, 403, 404, 429])

export function createLogReader(options: {
  readonly network: string
  /** Longest range that is asked for. */
  readonly mostBlocks: bigint
  readonly log: Logger
}): LogReader {
  const { network, mostBlocks, log } = options
  const ranges = new WeakMap<RpcClient, Range>()

  function rangeOf(client: RpcClient): Range {
    const range = ranges.get(client) ?? {
      blocks: mostBlocks,
      answered: 0,
      logged: mostBlocks,
      isBarred: false,
    }
    ranges.set(client, range)
    return range
  }

  /** Halves the range until the node answers. Only an answer shows that the length was the reason of the refusals. */
  async function readRange(client: RpcClient, filter: LogFilter, toBlock: bigint, isNewest: boolean) {
    const range = rangeOf(client)
    const { fromBlock } = filter
    let refusal: unknown
    let blocks = least(range.blocks, toBlock - fromBlock + 1n)
    for (;;) {
      const last = fromBlock + blocks - 1n
      try {
        // The newest range is left open, so that a block mined meanwhile is searched too.
        const end = isNewest && last === toBlock ? "latest" : numberToHex(last)
        const logs = await getLogs(client, filter, end)
        learn(range, blocks, refusal)
        return { logs, next: last < toBlock ? last + 1n : null }
      } catch (error) {
        if (!mayAcceptLess(error)) throw error
        if (blocks === 1n) {
          bar(range, error)
          throw error
        }
        refusal = error
        blocks /= 2n
      }
    }
  }

  function bar(range: Range, error: unknown): void {
    if (!range.isBarred) log.warn({ network, ...codesOf(error) }, "a node refuses the logs of a single block")
    range.isBarred = true
  }

  function learn(range: Range, length: bigint, refusal: unknown): void {
    range.isBarred = false
    if (refusal !== undefined) {
      if (length < range.logged)
        log.info(
          { network, blocks: Number(length), ...codesOf(refusal) },
          "a node refuses longer ranges of logs; shorter ones are read",
        )
      range.logged = least(range.logged, length)
      range.blocks = length
      range.answered = 0
    } else if (length === range.blocks && range.blocks < mostBlocks) {
      range.answered += 1
      if (range.answered < answersBeforeGrowth) return
      range.answered = 0
      range.blocks = least(range.blocks * 2n, mostBlocks)
    }
  }

  return {
    page: (filter, toBlock) => async (client) => {
      const newest = quantityOf(await client.request("eth_blockNumber"))
      const end = toBlock ?? newest
      const logs: LocatedLog[] = []
      let next: bigint | null = filter.fromBlock <= end ? filter.fromBlock : null
      for (let read = 0; next !== null && read < rangesPerPage; read++) {
        const part = await readRange(client, { ...filter, fromBlock: next }, end, toBlock === undefined)
        logs.push(...part.logs)
        next = part.next
      }
      return { value: { logs, next }, block: newest }
    },
  }
}

/** The node answered and refused, in any wording. A node that is busy, or that does not answer, refuses nothing. */
function mayAcceptLess(error: unknown): boolean {
  const { code, status } = codesOf(error)
  if (code !== undefined) return code !== 429
  return status !== undefined && status >= 400 && status < 500 && !otherStatuses.has(status)
}

/** Codes alone: a node's text may quote its address, which may hold a secret. */
function codesOf(error: unknown): { readonly code?: number; readonly status?: number } {
  const chain = causes(error)
  const refusal = chain.find((cause) => cause instanceof RpcError)
  const answer = chain.find((cause) => cause instanceof HttpFailed)
  return {
    ...(refusal && { code: refusal.code }),
    ...(answer?.status !== undefined && { status: answer.status }),
  }
}

const getLogs = async (
  client: RpcClient,
  { address, topics, fromBlock }: LogFilter,
  toBlock: Hex | "latest",
): Promise<readonly LocatedLog[]> =>
  locatedLogsOf(
    await client.request("eth_getLogs", [{ address, topics, fromBlock: numberToHex(fromBlock), toBlock }]),
  )
