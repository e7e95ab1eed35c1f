/** Measures how far this server's clock is from the chain's, by the times of blocks that are read for other reasons. */
import { type Reason, Refusal } from "../../shared/refusals.ts"

/** Seconds; positive where this server's clock is ahead. */
export type ClockSkew = number

/** The newest block of a network, and when it was last seen. */
export type SeenBlock = { readonly number: bigint; readonly lastSeenAt: number; readonly skew: ClockSkew }

type Observation = { readonly number: bigint; readonly time: number; readonly now: number }

/**
 * A block from the future shows a clock behind. A clock ahead shows only in a new block: it was made after the block
 * before was last seen, so its age beyond that time is skew. A chain that stands still is no skew.
 */
export function seeBlock(seen: SeenBlock | undefined, block: Observation, blockSeconds: number): SeenBlock {
  const { number, time, now } = block
  if (seen && number <= seen.number) return number < seen.number ? seen : { ...seen, lastSeenAt: now }
  const age = now - time
  const unseen = seen ? now - seen.lastSeenAt : Number.POSITIVE_INFINITY
  const ahead = Math.max(0, age - unseen - blockSeconds)
  return { number, lastSeenAt: now, skew: age < 0 ? age : ahead }
}

/** The clock is well when one network agrees with it: then another network's times are wrong. */
export const leastSkew = (skews: readonly ClockSkew[]): ClockSkew =>
  skews.reduce((least, skew) => (Math.abs(skew) < Math.abs(least) ? skew : least), skews[0] ?? 0)

/** Signed payments leave so much room. Above it the clock is wrong, and worth a word. */
const notableSkewSeconds = 30
export const isNotable = (skew: ClockSkew): boolean => Math.abs(skew) >= notableSkewSeconds

/** Above this, an ordinary payment of ten minutes has expired by this server's clock, or seems to last too long. */
const disablingSkewSeconds = 540
export const isDisabling = (skew: ClockSkew): boolean => Math.abs(skew) >= disablingSkewSeconds

const timeReasons: ReadonlySet<Reason> = new Set([
  "validity_too_short",
  "validity_too_long",
  "not_yet_valid",
  "offer_expired",
  "quote_expired",
])

/** The error with a sentence about the clock, where the clock may be why a payment was refused. */
export function explainByClock(error: unknown, skew: ClockSkew): unknown {
  if (!(error instanceof Refusal) || !timeReasons.has(error.reason) || !isNotable(skew)) return error
  const sentence = `The clock of this server is ${Math.abs(skew)} s ${skew > 0 ? "ahead of" : "behind"} the chain.`
  return new Refusal(error.reason, [error.found, sentence].filter(Boolean).join(" "), error.detail)
}
