/** Waits for new entries of the ledger: wakes at once for writes of this process, and polls for those of others. */
import { setTimeout as sleep } from "node:timers/promises"
import type { LedgerPlace } from "../core/ledger-filter.ts"
import type { Logger } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"

export type LedgerTail = {
  /** Resolves once the newest entry is beyond the sequence, when the signal aborts, or when the tail is stopped. */
  grown(after: number, signal: AbortSignal): Promise<void>
  /** This process has written something. */
  wake(): void
  readonly stopped: AbortSignal
  stop(): void
}

/** Entries of other processes are seen after so long, and only while somebody waits. */
const pollMilliseconds = 100
/** Under load, many writes share one look. */
const restMilliseconds = 10

type Waiter = { readonly after: number; readonly done: () => void }

export function createLedgerTail(deps: {
  readonly store: Pick<Store, "newest">
  readonly log: Logger
}): LedgerTail {
  const waiters = new Set<Waiter>()
  const stopping = new AbortController()
  let looking = false
  let isWritten = false
  let interrupt: (() => void) | undefined

  /** Ends early when this process writes. */
  async function pause(): Promise<void> {
    await sleep(restMilliseconds)
    if (isWritten) return
    const interrupted = new AbortController()
    interrupt = () => interrupted.abort()
    await sleep(pollMilliseconds, undefined, { signal: interrupted.signal }).catch(() => undefined)
    interrupt = undefined
  }

  async function look(): Promise<void> {
    looking = true
    while (waiters.size > 0) {
      isWritten = false
      try {
        release(await deps.store.newest())
      } catch (error) {
        deps.log.warn({ err: error }, "the ledger could not be read")
      }
      if (waiters.size > 0) await pause()
    }
    looking = false
  }

  function release({ sequence }: LedgerPlace): void {
    for (const waiter of waiters) if (sequence > waiter.after) waiter.done()
  }

  return {
    stopped: stopping.signal,
    grown: (after, signal) =>
      new Promise((resolve) => {
        const ends = AbortSignal.any([signal, stopping.signal])
        const done = () => {
          waiters.delete(waiter)
          ends.removeEventListener("abort", done)
          resolve()
        }
        const waiter = { after, done }
        if (ends.aborted) return done()
        ends.addEventListener("abort", done)
        waiters.add(waiter)
        if (!looking) void look()
      }),
    wake() {
      isWritten = true
      interrupt?.()
    },
    stop() {
      stopping.abort()
      interrupt?.()
    },
  }
}
