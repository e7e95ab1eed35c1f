/** Holds requests of settle-first buyers until their payments settle, bounded in time and number. */
import { settlementState } from "../core/redemption.ts"
import type { Redeemed } from "../ports/records.ts"
import type { Store } from "../ports/store.ts"

export type WaitOptions = {
  /** How long one request is held open; proxies and clients usually give up after 30. */
  readonly seconds?: number
  /** Requests held open at once; any more are answered as pending without a wait. */
  readonly atOnce?: number
  /** How often a wait reads the store without being woken: another process may settle. */
  readonly pollSeconds?: number
}

export type Waits = {
  /**
   * The payment with its verdict; null when there is none in time, when too many wait, or when the client has gone.
   */
  outcome(key: string, signal: AbortSignal): Promise<Redeemed | null>
  /** This process has settled these payments, or seen them fail. */
  wake(keys: readonly string[]): void
  /** Ends all waits, those under way and those to come. */
  stop(): void
}

type Wait = {
  readonly key: string
  /** Makes the wait read the store again. */
  ring(): void
  /** Makes the wait give up. */
  end(): void
}

export function createWaits(deps: { store: Pick<Store, "recall"> }, options: WaitOptions = {}): Waits {
  const { seconds = 20, atOnce = 200, pollSeconds = 1 } = options
  const waiting = new Set<Wait>()
  let stopped = false

  async function look(wait: Wait, isOver: () => boolean): Promise<Redeemed | null> {
    while (!isOver()) {
      // Listens before it reads: a change between the two still wakes the wait.
      const rung = new Promise<void>((resolve) => {
        wait.ring = resolve
      })
      const poll = setTimeout(wait.ring, pollSeconds * 1000)
      try {
        const found = await deps.store.recall({ key: wait.key })
        if (found && settlementState(found.redemption.state) !== "pending") return found
        if (!isOver()) await rung
      } finally {
        clearTimeout(poll)
      }
    }
    return null
  }

  return {
    async outcome(key, signal) {
      if (stopped || waiting.size >= atOnce) return null
      let over = signal.aborted
      const wait: Wait = {
        key,
        ring() {},
        end() {
          over = true
          wait.ring()
        },
      }
      const timer = setTimeout(wait.end, seconds * 1000)
      signal.addEventListener("abort", wait.end, { once: true })
      waiting.add(wait)
      try {
        return await look(wait, () => over)
      } finally {
        waiting.delete(wait)
        signal.removeEventListener("abort", wait.end)
        clearTimeout(timer)
      }
    },
    wake(keys) {
      const woken = new Set(keys)
      for (const wait of waiting) if (woken.has(wait.key)) wait.ring()
    },
    stop() {
      stopped = true
      for (const wait of waiting) wait.end()
    },
  }
}
