/** Computes changes of a key ring. Each change returns a new ring, or the same ring when nothing is due. */
import { randomBytes } from "node:crypto"
import type { TokenAlgorithm } from "../../shared/oauth/jws.ts"
import { longestTokenSeconds } from "../../shared/oauth/revocation.ts"
import { longestGrantSeconds } from "../core/grant.ts"
import {
  activeKey,
  adopted,
  completed,
  founded,
  nextOf,
  type RingKey,
  rotated,
  secondsToRotation,
  stateOf,
} from "../core/key-ring.ts"
import { longestPaymentSeconds } from "../core/payment.ts"
import { longestQuoteSeconds } from "../core/pricing.ts"
import { generateKey } from "./algorithms.ts"
import type { AccessKey, KeyRing, SecretKey } from "./ring.ts"

/** A retiring key is accepted until its last possible token has expired, plus 300 s for different clocks. */
export const accessOverlapSeconds = longestTokenSeconds + 300
/** A refresh token is worth something as long as its grant, and a buyer may come with it on the last day. */
export const refreshOverlapSeconds = longestGrantSeconds
/** A quote is looked at with a payment that was signed before it ended, and is not over itself; 300 s as above. */
export const quoteOverlapSeconds = longestQuoteSeconds + longestPaymentSeconds + 300

export type Custody = { readonly algorithm: TokenAlgorithm; readonly now: number }
/** The public part of a signer outside. */
export type SignerKey = Pick<AccessKey, "id" | "alg" | "jwk">

/** A ring from which this process can sign: of its own keys, or with the signer's. */
export function prepared(ring: KeyRing, signer: SignerKey | undefined, custody: Custody): KeyRing {
  const named = ring.id === undefined ? { ...ring, id: randomBytes(16).toString("hex") } : ring
  return withKeys(named, signer, custody)
}

function withKeys(ring: KeyRing, signer: SignerKey | undefined, custody: Custody): KeyRing {
  const make = makers(custody)
  const { now } = custody
  if (ring.access.length === 0 && ring.refresh.length === 0 && ring.quote.length === 0)
    return {
      ...ring,
      access: signer ? [...adopted([], fresh(signer, now), now)] : [...founded(make.access, now)],
      refresh: [...founded(make.secret, now)],
      quote: [...founded(make.secret, now)],
    }
  const access = signer
    ? adopted(ring.access, fresh(signer, now), now)
    : ownAccess(ring.access, make.access, custody)
  const refresh = completed(ring.refresh, make.secret, now)
  const quote = completed(ring.quote, make.secret, now)
  return access === ring.access && refresh === ring.refresh && quote === ring.quote
    ? ring
    : { ...ring, access: [...access], refresh: [...refresh], quote: [...quote] }
}

/** The ring after every key that has signed for `seconds` was replaced, if its successor was public for long enough. */
export function renewed(ring: KeyRing, seconds: number, custody: Custody): KeyRing {
  const make = makers(custody)
  const { now } = custody
  const access = isOwn(ring.access) && isDue(ring.access, seconds, now)
  const refresh = isDue(ring.refresh, seconds, now)
  const quote = isDue(ring.quote, seconds, now)
  if (!access && !refresh && !quote) return ring
  return swept(
    {
      ...ring,
      ...(access && { access: [...rotated(ring.access, make.access, now)] }),
      ...(refresh && { refresh: [...rotated(ring.refresh, make.secret, now)] }),
      ...(quote && { quote: [...rotated(ring.quote, make.secret, now)] }),
    },
    now,
  )
}

/** The key is taken out at once, and the next one takes its place. Undefined when there is no such key. */
export function without(ring: KeyRing, id: string, custody: Custody): KeyRing | undefined {
  const make = makers(custody)
  const { now } = custody
  const leaving = [...ring.access, ...ring.refresh, ...ring.quote, ...ring.retired].find(
    (key) => key.id === id,
  )
  if (!leaving) return undefined
  const others = <K extends { readonly id: string }>(keys: readonly K[]): K[] =>
    keys.filter((key) => key.id !== id)
  const access = others(ring.access)
  const own = isOwn(ring.access)
  return {
    ...ring,
    access: own ? [...completed(access, make.access, now)] : access,
    refresh: [...completed(others(ring.refresh), make.secret, now)],
    quote: [...completed(others(ring.quote), make.secret, now)],
    retired: others(ring.retired),
    removed: [...ring.removed, { id, removedAt: now }],
  }
}

/** Whether this service makes its signing keys itself. */
export const isOwn = (keys: readonly AccessKey[]): boolean => activeKey(keys)?.jwk.d !== undefined

function isDue(keys: readonly RingKey[], seconds: number, now: number): boolean {
  const key = activeKey(keys)
  return key?.activeAt != null && now >= key.activeAt + seconds && secondsToRotation(keys, now) === 0
}

/** Back from a signer outside, or to another algorithm, the change is published before it is made. */
function ownAccess(
  keys: readonly AccessKey[],
  make: () => AccessKey,
  { algorithm, now }: Custody,
): readonly AccessKey[] {
  const next = nextOf(keys)
  const kept = next && next.alg !== algorithm ? keys.filter((key) => key !== next) : keys
  return activeKey(kept) && !isOwn(kept) ? rotated(kept, make, now) : completed(kept, make, now)
}

/** Without the keys that nothing is checked with any more; of those whose receipts are about, the public half stays. */
function swept(ring: KeyRing, now: number): KeyRing {
  const isGone = (key: RingKey, overlap: number) => stateOf(key, overlap, now) === "gone"
  return {
    ...ring,
    access: ring.access.filter((key) => !isGone(key, accessOverlapSeconds)),
    refresh: ring.refresh.filter((key) => !isGone(key, refreshOverlapSeconds)),
    quote: ring.quote.filter((key) => !isGone(key, quoteOverlapSeconds)),
    retired: [
      ...ring.retired,
      ...ring.access
        .filter((key) => isGone(key, accessOverlapSeconds))
        .map(({ id, alg, jwk: { d: _, ...jwk } }) => ({ id, alg, jwk })),
    ],
  }
}

const makers = ({ algorithm, now }: Custody) => ({
  access: (): AccessKey => fresh(generateKey(algorithm), now),
  secret: (): SecretKey =>
    fresh({ id: randomBytes(8).toString("hex"), secret: randomBytes(32).toString("hex") }, now),
})

const fresh = <T extends object>(key: T, now: number) => ({
  ...key,
  publishedAt: now,
  activeAt: null,
  retiredAt: null,
})
