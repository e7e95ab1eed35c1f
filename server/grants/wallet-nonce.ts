/** Makes nonces of wallet proofs without storing them, so that requests for nonces cost nothing. */
import type { Keys } from "../ports/keys.ts"
import type { Random } from "../ports/runtime.ts"
import { freshId } from "./answer.ts"

/** Lifetime of a nonce. */
export const nonceSeconds = 120

const sealed = (until: string, id: string): string => `wallet ${until} ${id}`

export function newNonce(keys: Pick<Keys, "seal">, random: Random, now: number): string {
  const [until, id] = [String(now + nonceSeconds), freshId(random)]
  return `${until}.${id}.${keys.seal(sealed(until, id))}`
}

/** The end of the nonce's life; undefined for an expired or foreign one. */
export function endOf(nonce: string, keys: Pick<Keys, "isSealed">, now: number): number | undefined {
  const [, until, id, seal] =
    /^([1-9][0-9]{0,15})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})$/.exec(nonce) ?? []
  if (until === undefined || id === undefined || seal === undefined) return undefined
  return keys.isSealed(sealed(until, id), seal) && now < Number(until) ? Number(until) : undefined
}
