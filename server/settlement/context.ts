/** Builds the context that all parts of a network's settlement share: dependencies, limits, hints and writes. */
import pLimit from "p-limit"
import { requireScheme } from "../../shared/schemes/index.ts"
import type { Address } from "../../shared/values/evm.ts"
import { isRiding, type Redemption } from "../core/redemption.ts"
import { retryDelay } from "../core/retry.ts"
import { moveOf, type Verdict } from "../core/verdict.ts"
import type { Relayer } from "../ports/chain.ts"
import type { InFlight, RelayTransaction, SignedBytes } from "../ports/records.ts"
import { createConclude, type KeyedMove, moveTo } from "./conclude.ts"
import type { SettlementDeps } from "./deps.ts"
import { createHints } from "./hints.ts"
import { type SettlementLimits, settlementLimits } from "./limits.ts"
import { isOutage, lastErrorOf, messageOf } from "./outages.ts"

/** The longest rest of a settlement whose node does not answer, or of a relayer without gas. */
export const longestRestSeconds = 30

const parallel = 8

export type SettlementContext = ReturnType<typeof createContext>

export function createContext(deps: SettlementDeps, overrides: Partial<SettlementLimits>) {
  const { chain, now, chance, log } = deps
  const network = chain.network.id
  const limits = { ...settlementLimits, ...overrides }
  const onStep = deps.onStep ?? (() => {})

  const noticed = createHints()
  const conclude = createConclude(deps, noticed)

  const moveFor = (row: Redemption, verdict: Verdict, error?: string): KeyedMove =>
    moveTo(
      row,
      moveOf(verdict, {
        redemption: row,
        now: now(),
        chance: chance(),
        maxAttempts: limits.maxAttempts,
        error,
      }),
    )

  /** Postpones payments whose work fails, so that they do not block the others. */
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

  /** Works on a few items at a time. A fault of one is logged; an outage ends all once none is under way. */
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

  /** Whether an instant set by this process is ahead; a clock set back does not make anything wait longer. */
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

/** The payments that still depend on a transaction. */
export const ridersOf = ({ redemptions }: InFlight): readonly Redemption[] => redemptions.filter(isRiding)
