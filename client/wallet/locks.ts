/** Exclusive work: of all clients of a store, in whatever process, one does what has the same name. */
import { bytesToHex } from "../../shared/values/evm.ts"
import { type Claim, type ClientStore, type Grant, keyOf } from "./store.ts"

/** How much longer than one exchange a claim lasts, so that only who has died loses it. */
const slackSeconds = 15
const firstWaitSeconds = 0.02
const longestWaitSeconds = 0.5

export type Holding = Pick<Claim, "name" | "holder"> & {
  /** Before each step that takes longer than a moment; `seconds` is how long it may take. */
  extend(seconds?: number): Promise<void>
}

/** What changes a refresh token, or shows it: used by two at once it would look stolen, and end the grant. */
export const refreshOf = (grant: Pick<Grant, "account" | "resource" | "id">): string =>
  `refresh ${keyOf(grant)}`

/** Does the work when nobody else does work of this name, or when who did has not extended his claim. */
export type Exclusively = <T>(name: string, work: (holding: Holding) => Promise<T>) => Promise<T>

export function createLocks(deps: {
  readonly store: ClientStore
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly delay: (seconds: number) => Promise<void>
  readonly timeoutMs: number
}): Exclusively {
  const { store, now, random, delay } = deps
  const usualSeconds = deps.timeoutMs / 1000 + slackSeconds

  return async (name, work) => {
    const holder = bytesToHex(random(16))
    const take = (seconds = usualSeconds): Promise<boolean> =>
      store.claim({ name, holder, until: now() + seconds }, now())
    for (let wait = firstWaitSeconds; !(await take()); wait = Math.min(2 * wait, longestWaitSeconds))
      await delay(wait)
    try {
      return await work({
        name,
        holder,
        async extend(seconds) {
          await take(seconds)
        },
      })
    } finally {
      await store.unclaim({ name, holder })
    }
  }
}
