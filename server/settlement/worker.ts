/** Holds the settlement lease and drives the settlement of every network until it is stopped. */
import { setTimeout as delay } from "node:timers/promises"
import type { Logger, Now } from "../ports/runtime.ts"
import { Fenced, type Store } from "../ports/store.ts"
import { messageOf } from "./outages.ts"
import type { Settlement } from "./settlement.ts"

export type WorkerDeps = {
  readonly store: Pick<Store, "lease" | "release">
  /** One for each network. */
  readonly settlements: readonly Settlement[]
  readonly now: Now
  /** The unique name of this process among those that want the lease. */
  readonly holder: string
  readonly log: Logger
}

export type WorkerOptions = {
  /** How often to look without being woken: other processes sell too, and blocks come unannounced. */
  readonly pollSeconds?: number
  /** How long another process waits after this one died. */
  readonly leaseSeconds?: number
}

export type Worker = {
  start(): void
  /** There is something to settle. */
  wake(): void
  /** Resolves when the steps under way are finished and the lease is released. Idempotent. */
  stop(): Promise<void>
  /** Whether this process is the one that settles. */
  holding(): boolean
}

export function createWorker(deps: WorkerDeps, options: WorkerOptions = {}): Worker {
  const { store, settlements, now, holder, log } = deps
  const { pollSeconds = 1, leaseSeconds = 5 } = options
  const drained = new AbortController()
  let alarm = new AbortController()
  let fence: number | undefined
  let stopping = false
  let running: Promise<void> | undefined
  let stopped: Promise<void> | undefined

  function wake(): void {
    alarm.abort()
    alarm = new AbortController()
  }

  /** Renews while steps are long, too: a slow chain must not hand the work to another process. */
  async function keepLease(): Promise<void> {
    while (!drained.signal.aborted) {
      const before = fence
      try {
        fence = (await store.lease({ holder, seconds: leaseSeconds, now: now() }))?.fence
      } catch (error) {
        // Perhaps still held: the store itself refuses a fence that is not.
        log.warn({ reason: messageOf(error) }, "the settlement lease could not be renewed")
      }
      if (fence !== before) {
        log.info({ holding: fence !== undefined }, "the settlement lease changed hands")
        wake()
      }
      await rest(fence === undefined ? pollSeconds : leaseSeconds / 3, drained.signal)
    }
  }

  /** Networks go at their own pace: one that does not answer holds up no other. */
  async function drive(settlement: Settlement): Promise<void> {
    while (!stopping) {
      // Taken before the step: a wake during the step ends the rest at once.
      const { signal } = alarm
      const busy = fence !== undefined && (await advance(settlement, fence))
      if (!busy) await rest(pollSeconds, signal)
    }
  }

  async function advance(settlement: Settlement, held: number): Promise<boolean> {
    try {
      return (await settlement.advance(held)).busy
    } catch (error) {
      if (!(error instanceof Fenced))
        log.error({ network: settlement.network, reason: messageOf(error) }, "a settlement step failed")
      else if (fence === held) fence = undefined
      return false
    }
  }

  async function finish(): Promise<void> {
    stopping = true
    wake()
    await running
    if (fence === undefined) return
    try {
      await store.release({ fence })
    } catch (error) {
      log.warn({ reason: messageOf(error) }, "the settlement lease was not released; it expires on its own")
    }
    fence = undefined
  }

  return {
    start() {
      if (stopping) return
      running ??= (async () => {
        const lease = keepLease()
        await Promise.all(settlements.map(drive))
        drained.abort()
        await lease
      })()
    },
    wake,
    stop() {
      stopped ??= finish()
      return stopped
    },
    holding: () => fence !== undefined,
  }
}

/** Resolves early when the signal aborts. */
async function rest(seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(seconds * 1000, undefined, { signal })
  } catch {
    // Woken.
  }
}
