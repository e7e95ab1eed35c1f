/** Nonces of wallet proofs: made without being stored, so that asking for them costs nothing; used up in the store. */
import type { Keys } from "../ports/keys.ts"
import type { Random } from "../ports/runtime.ts"
import { freshId } from "./answer.ts"

/** For how long a nonce is good. */
export const nonceSeconds = 120

const sealed = (until: string, id: string): string => `wallet ${until} ${id}`

export function newNonce(keys: Pick<Keys, "seal">, random: Random, now: number): string {
  const [until, id] = [String(now + nonceSeconds), freshId(random)]
  return `${until}.${id}.${keys.seal(sealed(until, id))}`
}

/** Until when the nonce is good; undefined for one that no longer is, or was never ours. */
export function endOf(nonce: string, keys: Pick<Keys, "isSealed">, now: number): number | undefined {
  const [, until, id, seal] =
    /^([1-9][0-9]{0,15})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})$/.exec(nonce) ?? []
  if (until === undefined || id === undefined || seal === undefined) return undefined
  return keys.isSealed(sealed(until, id), seal) && now < Number(until) ? Number(until) : undefined
}
