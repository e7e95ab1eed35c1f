/** Defines a ring of keys for one purpose. A key is published, signs, only verifies, and is removed. */

/** Instants in seconds. They alone decide the state of a key, so all processes change over together. */
export type RingKey = {
  readonly id: string
  readonly publishedAt: number
  /** When it begins to sign; null for the one that waits its turn. */
  readonly activeAt: number | null
  /** When another begins to sign in its place; null while none does. */
  readonly retiredAt: number | null
}

export type KeyState = "next" | "active" | "retiring" | "gone"

/** After this time every process on the folder knows a new key, so none signs with a key that another refuses. */
const settleSeconds = 5
/** For how long a key is published before it may sign in due course: outside verifiers keep the key set for 30 s. */
const publishSeconds = 60

/** A key waits for seconds at most: what begins later than that began before the clock was set back. */
const isPast = (instant: number | null, now: number): boolean =>
  instant !== null && (instant <= now || instant > now + settleSeconds)

/** `overlapSeconds` is the longest life of anything that a key signed. */
export function stateOf(key: RingKey, overlapSeconds: number, now: number): KeyState {
  if (!isPast(key.activeAt, now)) return "next"
  if (key.retiredAt === null || !isPast(key.retiredAt, now)) return "active"
  return now < key.retiredAt + overlapSeconds ? "retiring" : "gone"
}

/** Returns the key that signs, or will sign within seconds. */
export const activeKey = <K extends RingKey>(keys: readonly K[]): K | undefined =>
  keys.find((key) => key.activeAt !== null && key.retiredAt === null)

export const nextOf = <K extends RingKey>(keys: readonly K[]): K | undefined =>
  keys.find((key) => key.activeAt === null)

/** Seconds until the next key may take over; it must have been public for long enough. */
export const secondsToRotation = (keys: readonly RingKey[], now: number): number =>
  Math.max(0, (nextOf(keys)?.publishedAt ?? now) + publishSeconds - now)

/** The next key takes over, and another waits in its place; an emergency may have it wait until all know of it. */
export function rotated<K extends RingKey>(keys: readonly K[], make: () => K, now: number): readonly K[] {
  const heir = nextOf(keys) ?? make()
  return [...replaced(keys, heir, Math.max(now, heir.publishedAt + settleSeconds)), make()]
}

/** Makes the key sign from now on, without a next key: its holder provides the successor. */
export function adopted<K extends RingKey>(keys: readonly K[], key: K, now: number): readonly K[] {
  if (activeKey(keys)?.id === key.id) return keys
  const heir = keys.find(({ id }) => id === key.id) ?? key
  const at = keys.length === 0 ? now : Math.max(now, heir.publishedAt + settleSeconds)
  return replaced(keys, heir, at).filter(({ activeAt }) => activeAt !== null)
}

/** The first ring: its key signs at once, because nobody could know of it any earlier. */
export const founded = <K extends RingKey>(make: () => K, now: number): readonly K[] => [
  { ...make(), activeAt: now },
  make(),
]

/** Completes the ring to an active key and a next key. */
export function completed<K extends RingKey>(keys: readonly K[], make: () => K, now: number): readonly K[] {
  if (!activeKey(keys)) return rotated(keys, make, now)
  return nextOf(keys) ? keys : [...keys, make()]
}

function replaced<K extends RingKey>(keys: readonly K[], heir: K, at: number): readonly K[] {
  const others = keys.filter(({ id }) => id !== heir.id)
  const retired = others.map((key) =>
    key.activeAt !== null && key.retiredAt === null ? { ...key, retiredAt: at } : key,
  )
  return [...retired, { ...heir, activeAt: at, retiredAt: null }]
}
