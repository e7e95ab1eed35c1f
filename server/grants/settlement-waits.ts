/** The waits of buyers whose payment is settled first: bounded in time and number, and woken when their money is in. */
import { settlementState } from "../core/redemption.ts"
import type { Redeemed } from "../ports/records.ts"
import type { Store } from "../ports/store.ts"

export type WaitOptions = {
  /** How long one request is held open; proxies and clients usually give up after 30. */
  readonly seconds?: number
  /** Requests held open at once: beyond that the answer is at once that it takes longer. */
  readonly atOnce?: number
  /** How often to look unasked: another process may settle. */
  readonly pollSeconds?: number
}

export type Waits = {
  /** What became of the payment; null when that is not known in time, when too many wait, or when nobody listens any more. */
  outcome(key: string, signal: AbortSignal): Promise<Redeemed | null>
  /** This process has settled these, or seen them fail. */
  wake(keys: readonly string[]): void
  /** Ends all waits, those under way and those to come. */
  stop(): void
}

type Wait = {
  readonly key: string
  /** Has it look again. */
  ring(): void
  /** Has it give up. */
  end(): void
}

export function createWaits(deps: { store: Pick<Store, "recall"> }, options: WaitOptions = {}): Waits {
  const { seconds = 20, atOnce = 200, pollSeconds = 1 } = options
  const waiting = new Set<Wait>()
  let stopped = false

  async function look(wait: Wait, isOver: () => boolean): Promise<Redeemed | null> {
    while (!isOver()) {
      // Listens before it looks: what happens between the two rings.
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
