/** Grants that ended before their tokens did, as the gate knows them: read from the ledger, by a cursor, every second. */
import { setTimeout as sleep } from "node:timers/promises"
import type { GrantEnd } from "./core/grant.ts"
import type { Logger, Now, Store } from "./ports.ts"

export type Revocations = {
  /** Why the grant's tokens are refused, or undefined while they are good. */
  reasonFor(grantId: string): GrantEnd | undefined
  /** Seconds since the ledger was last read to its end. */
  age(): number
  /** Reads on; called by the poll, and at once by whoever ended a grant in this process. */
  refresh(): Promise<void>
  /** Refreshes until stopped. */
  start(): void
  stop(): Promise<void>
}

/** How often other processes' endings are looked for; the published bound from verdict to refusal is 5 s. */
const pollMilliseconds = 1000

export function createRevocations(deps: { store: Store; now: Now; log: Logger }): Revocations {
  const { store, now, log } = deps
  const ended = new Map<string, { reason: GrantEnd; expiresAt: number }>()
  const stopping = new AbortController()
  let cursor = 0
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  let polling: Promise<void> | undefined

  async function read(): Promise<void> {
    const startedAt = now()
    const news = await store.endedGrants({ cursor, now: startedAt })
    for (const grant of news.ended)
      ended.set(grant.grantId, { reason: grant.reason, expiresAt: grant.expiresAt })
    cursor = news.cursor
    readAt = startedAt
    // An entry dies with the last token it could concern, so the set cannot grow without bound.
    for (const [id, entry] of ended) if (entry.expiresAt + 60 < startedAt) ended.delete(id)
  }

  async function poll(): Promise<void> {
    while (!stopping.signal.aborted) {
      await revocations
        .refresh()
        .catch((error: unknown) => log.warn({ err: error }, "revocations could not be read"))
      await sleep(pollMilliseconds, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined)
    }
  }

  const revocations: Revocations = {
    reasonFor: (grantId) => ended.get(grantId)?.reason,
    age: () => now() - readAt,
    // One read at a time, and a call during a read starts another: what it wants to see may be newer.
    refresh() {
      const next = (reading ?? Promise.resolve()).catch(() => undefined).then(read)
      reading = next
      return next
    },
    start() {
      polling ??= poll()
    },
    async stop() {
      stopping.abort()
      await polling
    },
  }
  return revocations
}
