/** Asks one node of a network while it is well and on the right chain; rests it while it fails. */
import type { NetworkInfo } from "../../shared/networks/network.ts"
import { ChainMismatch } from "../ports/chain.ts"
import type { Logger } from "../ports/runtime.ts"
import { quantityOf } from "./answers.ts"
import { openConnection } from "./http-post.ts"
import { createRpcClient, type RpcClient } from "./json-rpc.ts"
import { isTrouble } from "./node-errors.ts"

export type NodeOptions = {
  readonly url: string
  /** The node's name in logs, because its address may hold a secret: its place in the configuration, from 1. */
  readonly place: number
  readonly network: NetworkInfo
  /** Of one request. */
  readonly timeoutMs: number
  /** Waits until one more request may be made. */
  readonly spend: () => Promise<void>
  /** Milliseconds of a monotonic clock. */
  readonly clock: () => number
  /** In [0, 1). */
  readonly chance: () => number
  readonly log: Logger
  /** Called after each request. */
  readonly onCall?: OnCall | undefined
}

/** `refused`: the node answered this request with an error. `failed`: it gave no answer that any request could use. */
export type CallOutcome = "answered" | "refused" | "failed"
/** `place` names the node; `ms` includes the wait for room in the budget. */
export type OnCall = (place: number, method: string, outcome: CallOutcome, ms: number) => void

export type Node = {
  readonly place: number
  /** Sends a request once the node has proven its chain id. Throws the node's error. */
  use<T>(question: (client: RpcClient) => Promise<T>): Promise<T>
  /** Proves the chain id if it must be proved again; any number of callers ask once. */
  greet(): Promise<void>
  isWell(): boolean
  /** In trouble, and rested long enough to be asked again. */
  isRested(): boolean
  /** In trouble, but may be asked when no other node answers; a node that failed slowly rests first. */
  mayBeKnockedAt(): boolean
  /** The last error that put the node in trouble. */
  lastTrouble(): unknown
  /** Ends its connections. */
  close(): void
}

/** Lifetime of a proof of the chain id: the address may lead to another machine without an error. */
const proofMs = 60_000
const firstRestMs = 500
const longestRestMs = 30_000

export function createNode(options: NodeOptions): Node {
  const { place, network, timeoutMs, clock, chance, log } = options
  const connection = openConnection({ address: options.url, timeoutMs })
  const client = observed(createRpcClient(connection.post, options.spend), options)
  let provenUntil = Number.NEGATIVE_INFINITY
  let greeting: Promise<void> | undefined
  let trouble: { since: number; restUntil: number; slow: boolean; error: unknown } | undefined
  /** Failures in a row; a proof of the chain id in between does not reset them. */
  let failures = 0

  /** Does the work; an error that is the node's fault puts the node in trouble. */
  async function attempt<T>(work: () => Promise<T>): Promise<T> {
    const startedAt = clock()
    try {
      return await work()
    } catch (error) {
      // All requests under way fail when a node goes down: that is one outage, not many.
      const counted = trouble !== undefined && startedAt < trouble.since
      if (isTrouble(error) && !counted) leaveAlone(error, clock() - startedAt >= timeoutMs / 2)
      throw error
    }
  }

  function leaveAlone(error: unknown, slow: boolean): void {
    const isStranger = error instanceof ChainMismatch
    const fields = { network: network.id, node: place }
    if (isStranger && !(trouble?.error instanceof ChainMismatch))
      log.error(fields, "a node is of another chain and is not asked")
    else if (!trouble) log.warn(fields, "a node does not answer and is left alone for a while")
    failures += 1
    const longest = Math.min(longestRestMs, firstRestMs * 2 ** Math.min(failures - 1, 16))
    const since = clock()
    trouble = { since, restUntil: since + longest * (0.5 + chance() / 2), slow, error }
  }

  async function proveChain(): Promise<void> {
    await attempt(async () => {
      const found = Number(quantityOf(await client.request("eth_chainId")))
      if (found !== network.chainId)
        throw new ChainMismatch(`a node is of chain ${found}, wanted ${network.chainId}`)
    })
    provenUntil = clock() + proofMs
    if (trouble) log.info({ network: network.id, node: place }, "a node answers again")
    trouble = undefined
  }

  function greet(): Promise<void> {
    if (!trouble && clock() < provenUntil) return Promise.resolve()
    greeting ??= proveChain().finally(() => {
      greeting = undefined
    })
    return greeting
  }

  return {
    place,
    greet,

    async use(question) {
      await greet()
      const answer = await attempt(() => question(client))
      if (!trouble) failures = 0
      return answer
    },

    isWell: () => trouble === undefined,
    isRested: () => trouble !== undefined && clock() >= trouble.restUntil,
    mayBeKnockedAt: () => trouble !== undefined && (!trouble.slow || clock() >= trouble.restUntil),
    lastTrouble: () => trouble?.error,
    close: connection.close,
  }
}

function observed(client: RpcClient, { place, clock, onCall }: NodeOptions): RpcClient {
  if (!onCall) return client
  return {
    async request(method, params) {
      const startedAt = clock()
      try {
        const result = await client.request(method, params)
        onCall(place, method, "answered", clock() - startedAt)
        return result
      } catch (error) {
        onCall(place, method, isTrouble(error) ? "failed" : "refused", clock() - startedAt)
        throw error
      }
    },
  }
}
