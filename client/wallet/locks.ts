/** Runs exclusive work under a lock of the store: one client at a time, in whatever process. */
import { bytesToHex } from "../../shared/values/evm.ts"
import { type ClientStore, type Grant, keyOf, type LockHolder } from "./store.ts"

/** How much longer than one exchange a lock lasts, so that only a holder that died loses it. */
const slackSeconds = 15
const firstWaitSeconds = 0.02
const longestWaitSeconds = 0.5

export type HeldLock = LockHolder & {
  /** Called before each step that takes longer than a moment; `seconds` is how long it may take. */
  extend(seconds?: number): Promise<void>
}

/** Names the lock of a refresh token: sent by two clients at once it looks stolen, and the service ends the grant. */
export const refreshLockOf = (grant: Pick<Grant, "account" | "resource" | "id">): string =>
  `refresh ${keyOf(grant)}`

/** Waits until no other client holds the lock of this name, or its holder has stopped extending it. */
export type WithLock = <T>(name: string, work: (lock: HeldLock) => Promise<T>) => Promise<T>

export function createLocks(deps: {
  readonly store: ClientStore
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly delay: (seconds: number) => Promise<void>
  readonly timeoutMs: number
}): WithLock {
  const { store, now, random, delay } = deps
  const usualSeconds = deps.timeoutMs / 1000 + slackSeconds

  return async (name, work) => {
    const holder = bytesToHex(random(16))
    const take = (seconds = usualSeconds): Promise<boolean> =>
      store.lock({ name, holder, until: now() + seconds }, now())
    for (let wait = firstWaitSeconds; !(await take()); wait = Math.min(2 * wait, longestWaitSeconds))
      await delay(wait)
    try {
      return await work({ name, holder, extend: async (seconds) => void (await take(seconds)) })
    } finally {
      await store.unlock({ name, holder })
    }
  }
}
