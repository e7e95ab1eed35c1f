/** Lists, rotates, removes, imports and re-encrypts the keys of a ring for the operator. */
import { type RingKey, secondsToRotation, stateOf } from "../core/key-ring.ts"
import type { Now } from "../ports/runtime.ts"
import { KeyFileError } from "./files.ts"
import type { KeyRing, RingStorage } from "./ring.ts"
import {
  accessOverlapSeconds,
  type Custody,
  isOwn,
  quoteOverlapSeconds,
  refreshOverlapSeconds,
  renewed,
  without,
} from "./ring-changes.ts"

export type KeyMaintenance = ReturnType<typeof createKeyMaintenance>

/** The verbs throw {@link KeyFileError} for a ring that cannot be trusted. */
export function createKeyMaintenance(
  storage: RingStorage,
  options: Omit<Custody, "now"> & { readonly now: Now },
) {
  const custody = (): Custody => ({ algorithm: options.algorithm, now: options.now() })

  return {
    async list(): Promise<readonly object[]> {
      await storage.open()
      const { ring } = await storage.read()
      const now = options.now()
      return [
        ...ring.access.map((key) => ({
          use: "access",
          alg: key.alg,
          ...shown(key, accessOverlapSeconds, now),
        })),
        ...ring.refresh.map((key) => ({ use: "refresh", ...shown(key, refreshOverlapSeconds, now) })),
        ...ring.quote.map((key) => ({ use: "quote", ...shown(key, quoteOverlapSeconds, now) })),
        ...ring.removed.map(({ id, removedAt }) => ({ kid: id, state: "removed", removedAt })),
      ]
    },

    /** Replaces all keys, or none while one that is next could be unknown to a verifier. */
    async rotate(): Promise<{ readonly waitSeconds: number; readonly own: boolean }> {
      await storage.open()
      let answer = { waitSeconds: 0, own: true }
      await storage.update((ring) => {
        const own = isOwn(ring.access)
        answer = { waitSeconds: waitOf(ring, own, options.now()), own }
        return answer.waitSeconds > 0 ? ring : renewed(ring, 0, custody())
      })
      return answer
    },

    /** False when there is no such key. */
    async remove(kid: string): Promise<boolean> {
      await storage.open()
      let known = false
      await storage.update((ring) => {
        const left = without(ring, kid, custody())
        known = left !== undefined
        return left ?? ring
      })
      return known
    },

    /** Encrypts the ring under the first key-encryption key. */
    async rewrap(): Promise<void> {
      await storage.update((ring) => (isEmpty(ring) ? ring : { ...ring }))
    },

    /** Takes over the ring of another storage; into an empty one only, because keys are never merged. */
    async importFrom(source: RingStorage): Promise<void> {
      await source.open()
      const { ring } = await source.read()
      if (isEmpty(ring)) throw new KeyFileError(`${source.place}: found no keys, wanted those of a service`)
      await storage.update((found) => {
        if (!isEmpty(found))
          throw new KeyFileError(`${storage.place}: found keys, wanted none before an import`)
        return ring
      })
    },
  }
}

const isEmpty = ({ id, access }: KeyRing): boolean => id === undefined && access.length === 0

const waitOf = ({ access, refresh, quote }: KeyRing, own: boolean, now: number): number =>
  Math.max(...[own ? access : [], refresh, quote].map((keys) => secondsToRotation(keys, now)))

const shown = ({ id, publishedAt, activeAt, retiredAt }: RingKey, overlap: number, now: number) => ({
  kid: id,
  state: stateOf({ id, publishedAt, activeAt, retiredAt }, overlap, now),
  publishedAt,
  activeAt,
  retiredAt,
})
