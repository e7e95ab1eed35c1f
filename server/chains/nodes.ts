/** Asks the nodes of a network as one: takes the first answer that is new enough. */
import { ChainUnavailable, RequestRefused, Unwitnessed } from "../ports/chain.ts"
import type { Logger } from "../ports/runtime.ts"
import type { Heads } from "./heads.ts"
import type { RpcClient } from "./json-rpc.ts"
import type { Node } from "./node.ts"
import { isRefusal, mismatchIn } from "./node-errors.ts"

/** An answer, and the newest block its node knew of; undefined where that changes nothing. */
export type Reading<T> = { readonly value: T; readonly block?: bigint | undefined }

/** A question to one node; asking twice changes nothing. */
export type Question<T> = (client: RpcClient) => Promise<Reading<T>>

export type NodesOptions = {
  readonly network: string
  /** In order of preference. */
  readonly nodes: readonly Node[]
  readonly heads: Heads
  /** How long a node that lags is asked last. */
  readonly behindMs: number
  readonly clock: () => number
  readonly log: Logger
}

export type Nodes = {
  /**
   * Throws {@link ChainUnavailable}: a {@link RequestRefused} when nodes answer and refuse. Throws ChainMismatch when every
   * node that answers is of another chain.
   */
  ask<T>(what: string, question: Question<T>): Promise<T>
  /** As `ask`, but a node that finds nothing has the next one asked; null when that finds nothing either. */
  find<T>(what: string, question: Question<T | null>): Promise<T | null>
  /** The answers of two different nodes. Throws {@link Unwitnessed} when only one answers. */
  askTwo<T>(what: string, question: Question<T>): Promise<readonly [Reading<T>, Reading<T>]>
}

class Behind extends Error {
  constructor() {
    super("the node is behind others")
    this.name = "Behind"
  }
}

export function createNodes({ network, nodes, heads, behindMs, clock, log }: NodesOptions): Nodes {
  const behindUntil = new Map<Node, number>()

  /** Nodes that are well, those that lag last; then those in trouble, because one that has just failed may be back. */
  function* inTurn(except: Node | undefined): Generator<Node> {
    const others = nodes.filter((node) => node !== except)
    for (const node of others) if (node.isRested()) lookAgain(node)
    // As of before the first is asked: one that lags is not asked again for having just been found out.
    const behind = new Set(
      others.filter((node) => clock() < (behindUntil.get(node) ?? Number.NEGATIVE_INFINITY)),
    )
    for (const node of others) if (node.isWell() && !behind.has(node)) yield node
    for (const node of others) if (node.isWell() && behind.has(node)) yield node
    for (const node of others) if (node.mayBeKnockedAt()) yield node
  }

  /** Runs in the background, so that no question waits for it; the node remembers the result. */
  function lookAgain(node: Node): void {
    node.greet().catch(() => {})
  }

  async function put<T>(node: Node, question: Question<T>): Promise<Reading<T>> {
    const reading = await node.use(question)
    if (reading.block === undefined) return reading
    if (heads.isCurrent(reading.block)) {
      behindUntil.delete(node)
      return reading
    }
    if (!behindUntil.has(node)) log.warn({ network, node: node.place }, "a node lags behind")
    behindUntil.set(node, clock() + behindMs)
    throw new Behind()
  }

  async function askOne<T>(
    what: string,
    question: Question<T>,
    except?: Node,
  ): Promise<{ reading: Reading<T>; by: Node }> {
    const failures: unknown[] = []
    for (const node of inTurn(except)) {
      try {
        return { reading: await put(node, question), by: node }
      } catch (error) {
        failures.push(error)
      }
    }
    const mismatches = failures.map(mismatchIn)
    if (mismatches[0] && mismatches.every(Boolean)) throw mismatches[0]
    const refusal = failures.find((each) => !(each instanceof Behind) && isRefusal(each))
    if (refusal) throw new RequestRefused(`every node refused when asked ${what}`, { cause: refusal })
    // The message does not name the node, because its address may hold a secret.
    throw new ChainUnavailable(`no node answered when asked ${what}`, {
      cause: failures.at(-1) ?? nodes.map((node) => node.lastTrouble()).find(Boolean),
    })
  }

  return {
    ask: async (what, question) => (await askOne(what, question)).reading.value,

    async find(what, question) {
      const { reading, by } = await askOne(what, question)
      if (reading.value !== null) return reading.value
      // No second node, or none that answers: the first one's answer is the only one.
      return askOne(what, question, by).then(
        (other) => other.reading.value,
        () => null,
      )
    },

    async askTwo(what, question) {
      const first = await askOne(what, question)
      try {
        return [first.reading, (await askOne(what, question, first.by)).reading]
      } catch (error) {
        throw new Unwitnessed(`only one node answered when asked ${what}`, { cause: error })
      }
    },
  }
}
