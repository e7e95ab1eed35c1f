/** Lists, rotates and removes the keys of a folder for the operator. */
import { type RingKey, secondsToRotation, stateOf } from "../core/key-ring.ts"
import type { Now } from "../ports/runtime.ts"
import {
  accessOverlapSeconds,
  type Custody,
  isOwn,
  quoteOverlapSeconds,
  refreshOverlapSeconds,
  renewed,
  without,
} from "./ring-changes.ts"
import { createRingFile, type KeyRing } from "./ring-file.ts"

export type KeyMaintenance = ReturnType<typeof createKeyMaintenance>

/** The verbs throw KeyFileError for files that cannot be trusted. */
export function createKeyMaintenance(folder: string, options: Omit<Custody, "now"> & { readonly now: Now }) {
  const file = createRingFile(folder)
  const custody = (): Custody => ({ algorithm: options.algorithm, now: options.now() })

  return {
    async list(): Promise<readonly object[]> {
      await file.open()
      const { ring } = await file.read()
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
      await file.open()
      let answer = { waitSeconds: 0, own: true }
      await file.update((ring) => {
        const own = isOwn(ring.access)
        answer = { waitSeconds: waitOf(ring, own, options.now()), own }
        return answer.waitSeconds > 0 ? ring : renewed(ring, 0, custody())
      })
      return answer
    },

    /** False when there is no such key. */
    async remove(kid: string): Promise<boolean> {
      await file.open()
      let known = false
      await file.update((ring) => {
        const left = without(ring, kid, custody())
        known = left !== undefined
        return left ?? ring
      })
      return known
    },
  }
}

const waitOf = ({ access, refresh, quote }: KeyRing, own: boolean, now: number): number =>
  Math.max(...[own ? access : [], refresh, quote].map((keys) => secondsToRotation(keys, now)))

const shown = ({ id, publishedAt, activeAt, retiredAt }: RingKey, overlap: number, now: number) => ({
  kid: id,
  state: stateOf({ id, publishedAt, activeAt, retiredAt }, overlap, now),
  publishedAt,
  activeAt,
  retiredAt,
})
