/** What all parts of a network's settlement share: the world, the limits, what this process noticed, and how it writes. */
import pLimit from "p-limit"
import { requireScheme } from "../../shared/schemes/index.ts"
import type { Address } from "../../shared/values/evm.ts"
import type { Move, Redemption } from "../core/redemption.ts"
import { retryDelay } from "../core/retry.ts"
import { type Doubt, moveOf, type Verdict } from "../core/verdict.ts"
import { type Chain, ChainMismatch, ChainUnavailable, type Relayer } from "../ports/chain.ts"
import type { InFlight, RelayTransaction, SignedBytes } from "../ports/records.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import { Fenced, type Store, StoreUnavailable } from "../ports/store.ts"
import { createFailureAlarm } from "./failures.ts"

/** Boundaries at which the process may die; each is passed once for every payment, transaction or receipt. */
export const settlementSteps = [
  "simulated",
  "signed",
  "stored",
  "sent",
  "recorded",
  "receipt-read",
  "concluded",
] as const
export type SettlementStep = (typeof settlementSteps)[number]

export type SettlementDeps = {
  readonly store: Store
  readonly chain: Chain
  /** Their accounts pay gas; the first one is the one that simulates. */
  readonly relayers: readonly [Relayer, ...Relayer[]]
  /** Blocks until a payment counts, its own included. */
  readonly confirmations: number
  readonly now: Now
  /** In [0, 1). */
  readonly chance: () => number
  readonly log: Logger
  readonly onStep?: (step: SettlementStep) => void
  /** A settlement failed, and a grant ended with it. */
  readonly onEnded?: () => void
  /** These are paid or failed. */
  readonly onConcluded?: (keys: readonly string[]) => void
}

export type SettlementLimits = {
  /** Transactions of one relayer not known to be mined. */
  readonly maxInFlight: number
  readonly resendAfterSeconds: number
  readonly bumpAfterSeconds: number
  /** How long payments ride with a relayer that cannot send before they go by another. */
  readonly rescueAfterSeconds: number
  /** Tries that may lead nowhere before a payment is dead; a node or a store that is away is no try. */
  readonly maxAttempts: number
  /** Hashes for one nonce, the first included. */
  readonly maxVersions: number
  /** Wei per gas that a transaction offers at most. */
  readonly maxFeePerGas: bigint
  /** Offered for a payment whatever the node says it needs: bytes with too little are never mined, and hold up all later ones. */
  readonly minGas: bigint
  /** Gas that a payment may take: a payer's code could burn more. */
  readonly maxGas: bigint
  /** Payments in one transaction. */
  readonly batchSize: number
  /** Gas that a transaction with several payments may take; networks have limits of their own (EIP-7825: 2^24). */
  readonly maxBatchGas: bigint
  /** Payments looked at in one step. */
  readonly dueAtOnce: number
  /** A nonce was used, yet no hash of ours has a receipt: so long until the transaction is given up. */
  readonly lostAfterBlocks: bigint
  /** How long after one round of looks at blocks with paid payments the next one begins. */
  readonly recheckSeconds: number
  /** Such blocks looked at in one step. */
  readonly recheckBlocks: number
}

const settlementLimits: SettlementLimits = {
  maxInFlight: 64,
  resendAfterSeconds: 15,
  bumpAfterSeconds: 30,
  rescueAfterSeconds: 60,
  maxAttempts: 30,
  maxVersions: 5,
  maxFeePerGas: 500_000_000_000n,
  minGas: 100_000n,
  maxGas: 300_000n,
  batchSize: 50,
  maxBatchGas: 16_000_000n,
  dueAtOnce: 200,
  lostAfterBlocks: 6n,
  recheckSeconds: 10,
  recheckBlocks: 32,
}

export type KeyedMove = { readonly key: string; readonly move: Move }

/** Of a settlement whose node does not answer, or whose relayer has no gas. */
export const longestRestSeconds = 30

const parallel = 8

export type SettlementContext = ReturnType<typeof createContext>

export function createContext(deps: SettlementDeps, overrides: Partial<SettlementLimits>) {
  const { store, chain, now, chance, log } = deps
  const network = chain.network.id
  const limits = { ...settlementLimits, ...overrides }
  const onStep = deps.onStep ?? (() => {})

  const noteOutcome = createFailureAlarm(network, log)

  // What this process noticed; all of it may be forgotten, at the price of looking again.
  const noticed = {
    doubts: new Map<string, Doubt>(),
    /** Transactions whose nonce is used without a receipt, with the block at which that was first seen. */
    unfound: new Map<number, bigint>(),
    /** When bytes were last handed to a node, whether it took them or not. */
    triedAt: new Map<number, number>(),
    underpriced: new Set<number>(),
    /** Cannot be paid more for; each is complained of once. */
    stuck: new Set<number>(),
    /** Relayers that have no gas, or that no node listens to: they send nothing before this instant. */
    parkedUntil: new Map<Address, number>(),
    /** Writes of the step under way. */
    written: 0,
  }

  async function conclude(
    fence: number,
    moves: readonly KeyedMove[],
    transaction: { done?: number; reopened?: number } = {},
  ): Promise<void> {
    await store.conclude({ fence, ...transaction, moves, now: now() })
    noticed.written += 1
    if (transaction.done !== undefined) {
      noticed.unfound.delete(transaction.done)
      noticed.triedAt.delete(transaction.done)
      noticed.underpriced.delete(transaction.done)
      noticed.stuck.delete(transaction.done)
    }
    for (const { key, move } of moves) {
      if (move.to === "paid")
        log.info({ network, key, transaction: move.evidence.transactionHash }, "settled")
      if (move.to === "paid" || move.to === "failed") noteOutcome(key, move.to === "failed")
      if (move.to === "failed") log.warn({ network, key, failure: move.failure }, "a settlement failed")
      if (move.to === "dead")
        log.error({ network, key, reason: move.error }, "a payment is given up until an operator retries it")
    }
    onStep("concluded")
    if (moves.some(({ move }) => move.to === "failed")) deps.onEnded?.()
    const concluded = moves.filter(({ move }) => move.to === "paid" || move.to === "failed")
    if (concluded.length > 0) deps.onConcluded?.(concluded.map(({ key }) => key))
  }

  const moveFor = (row: Redemption, verdict: Verdict, error?: string): KeyedMove => ({
    key: row.key,
    move: moveOf(verdict, {
      redemption: row,
      now: now(),
      chance: chance(),
      maxAttempts: limits.maxAttempts,
      error,
    }),
  })

  /** A payment that cannot be worked on gives way to the others. */
  async function orPostpone<T>(
    fence: number,
    rows: readonly Redemption[],
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (isOutage(error)) throw error
      const keys = rows.map((row) => row.key)
      log.error({ network, keys, reason: messageOf(error) }, "a payment could not be worked on")
      const later = rows.map((row) =>
        moveFor(
          row,
          { kind: "wait", seconds: retryDelay(row.attempts, chance()), doubt: null },
          lastErrorOf(error),
        ),
      )
      await conclude(fence, later)
      return undefined
    }
  }

  /** Works on a few at a time. What is wrong with one is logged; an outage ends all, once none is under way. */
  async function each<T, R>(
    items: readonly T[],
    work: (item: T) => Promise<R>,
  ): Promise<readonly (R | undefined)[]> {
    const limit = pLimit(parallel)
    let outage: unknown
    const results = await Promise.all(
      items.map((item) =>
        limit(async () => {
          if (outage !== undefined) return undefined
          try {
            return await work(item)
          } catch (error) {
            if (isOutage(error)) outage = error
            else log.error({ network, reason: messageOf(error) }, "a settlement step failed")
            return undefined
          }
        }),
      ),
    )
    if (outage !== undefined) throw outage
    return results
  }

  /** Whether an instant set by this process is still to come; a clock set back does not make it wait longer. */
  function isAhead(until: number): boolean {
    const left = until - now()
    return left > 0 && left <= longestRestSeconds
  }

  const sign = (
    relayer: Relayer,
    transaction: Omit<Parameters<Relayer["sign"]>[0], "chainId">,
  ): Promise<SignedBytes> => relayer.sign({ chainId: chain.network.chainId, ...transaction })

  return {
    ...deps,
    network,
    onStep,
    limits,
    noticed,
    conclude,
    moveFor,
    orPostpone,
    each,
    isAhead,
    isParked: (relayer: Address) => isAhead(noticed.parkedUntil.get(relayer) ?? 0),
    schemeOf: (row: Redemption) => requireScheme(row.scheme),
    sign,
  }
}

export function newestOf({ versions, nonce }: RelayTransaction): SignedBytes {
  const newest = versions.at(-1)
  if (!newest) throw new Error(`nothing is stored for nonce ${nonce}`)
  return newest
}

const outages = [ChainUnavailable, ChainMismatch, StoreUnavailable, Fenced]

/** Nothing is wrong with the payment at hand: the world does not answer, or is another one, or another process settles. */
export const isOutage = (error: unknown): boolean => outages.some((outage) => error instanceof outage)

/** What rides in a transaction and depends on it still. */
export const ridersOf = ({ redemptions }: InFlight): readonly Redemption[] =>
  redemptions.filter((row) => row.state === "sent")

/** For the operator, short and without addresses of nodes, which may hold secrets. */
const lastErrorOf = (error: unknown): string =>
  messageOf(error)
    .replace(/\S+:\/\/\S+/g, "[address]")
    .slice(0, 200)

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
