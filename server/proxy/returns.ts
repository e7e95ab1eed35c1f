/** Limits the calls of a grant that cost nothing because the upstream failed. */
import { LRUCache } from "lru-cache"
import type { GatePass } from "../gate/handle-gate.ts"

/** Calls of a grant that failures of the upstream make free in one hour: an input that fails on purpose is not free. */
const mostReturns = 20
const windowMilliseconds = 3_600_000
const grantsRemembered = 100_000

/** Whether the call may cost nothing; counts it when it may. */
export type TakeReturn = (pass: Pick<GatePass, "claims">) => boolean

export function createReturns(): TakeReturn {
  const counts = new LRUCache<string, number>({
    max: grantsRemembered,
    ttl: windowMilliseconds,
    noUpdateTTL: true,
  })
  return ({ claims: { grant } }) => {
    const count = counts.get(grant) ?? 0
    if (count >= mostReturns) return false
    counts.set(grant, count + 1)
    return true
  }
}
