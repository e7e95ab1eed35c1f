/** A feed: a copy of something in the store, read again every second, that knows how old it is. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Logger, Now } from "../ports/runtime.ts"

export type Feed = {
  /** Seconds since the store was last read successfully. */
  age(): number
  /** Reads on; called by the poll, and at once after a change in this process. */
  refresh(): Promise<void>
  /** Refreshes until stopped. */
  start(): void
  stop(): Promise<void>
}

/** How often other processes' changes are looked for; the published bound from a change to the refusal is 5 s. */
const pollMilliseconds = 1000
/** A feed older than this may hide a failed settlement or a removal: what depends on it is not trusted. */
export const feedMaximumSeconds = 15

/** `read` updates the copy. When it throws, the copy stays as it was and grows older. */
export function createFeed(
  deps: { now: Now; log: Logger },
  options: { readonly name: string; readonly read: (startedAt: number) => Promise<void> },
): Feed {
  const { now, log } = deps
  const { name, read } = options
  const stopping = new AbortController()
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  let polling: Promise<void> | undefined

  async function readOnce(): Promise<void> {
    const startedAt = now()
    await read(startedAt)
    readAt = startedAt
  }

  // One read runs at a time. A call during a read starts another, because it may need newer data.
  function refresh(): Promise<void> {
    const next = (reading ?? Promise.resolve()).catch(() => undefined).then(readOnce)
    reading = next
    return next
  }

  async function poll(): Promise<void> {
    while (!stopping.signal.aborted) {
      await refresh().catch((error: unknown) => log.warn({ err: error }, `${name} could not be read`))
      await sleep(pollMilliseconds, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined)
    }
  }

  return {
    age: () => now() - readAt,
    refresh,
    start() {
      polling ??= poll()
    },
    async stop() {
      stopping.abort()
      await polling
    },
  }
}
