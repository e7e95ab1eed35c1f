/** Computes the effect of a top-up on a grant, and of its failure. All in integers, and never more than was paid. */

import type { GrantEnd } from "../../shared/oauth/revocation.ts"
import type { Reason } from "../../shared/refusals.ts"
import { type Grant, isIssued, longestGrantSeconds, type TokenRecord, whyOver } from "./grant.ts"
import { isUnsettled, type Redemption, settlementState } from "./redemption.ts"
import type { Basis, Gave, TopUp } from "./top-up.ts"
import { give, type Meter, mostUnits, settledMeter, without } from "./units.ts"
import { includesScope } from "./whitelist.ts"

/** Whether a redemption is behind what its grant is now. */
export const stands = ({ topUp }: Redemption): boolean => topUp === null || topUp.gave !== null

/**
 * Returns the value of the unused share of the price, by the limit that ends first, rounded down. Units that gates hold
 * count as used.
 */
export function unusedValue(grant: Grant, current: Redemption, now: number): bigint {
  const { value, since, until, units } = basisOf(grant, current)
  const byTime = share(value, grant.expiresAt - now, until - since)
  if (!grant.meter || units === null) return byTime
  const byUse = share(value, grant.meter.left, units)
  if (byUse < byTime) return byUse
  return byTime
}

/** The first payment gave the initial limits of the grant. */
const basisOf = (grant: Grant, { topUp, nominal }: Redemption): Basis =>
  topUp?.gave?.basis ?? {
    value: nominal,
    since: grant.startsAt,
    until: grant.expiresAt,
    units: grant.meter?.given ?? null,
  }

function share(value: bigint, rest: number, whole: number): bigint {
  if (rest <= 0 || whole <= 0) return 0n
  return rest >= whole ? value : (value * BigInt(rest)) / BigInt(whole)
}

/** A redemption that is a further payment. */
export type TopUpRedemption = Redemption & { readonly topUp: TopUp }
export const isTopUp = (redemption: Redemption): redemption is TopUpRedemption => redemption.topUp !== null

/** The effect of a top-up, or of its failure, on its grant. */
export type TopUpEffect = {
  readonly grant: Grant
  readonly topUp: TopUp
  readonly entry: "topped_up" | "taken_back"
  /** The value that was carried over, in millionths of the currency. */
  readonly credit: bigint
  /** Tokens issued before may say, or open, what no longer holds: none issued earlier is good. Null when all are. */
  readonly tokensFrom: number | null
  /** True when units of gates and derived grants were counted as spent. */
  readonly dropsSlices: boolean
}

/** Applies a top-up. `standing` is the payment on which the grant stood before. */
export function topUpGrant(
  grant: Grant,
  current: Redemption,
  bought: TopUpRedemption,
  now: number,
): TopUpEffect {
  const { topUp, nominal } = bought
  const { kind, offer } = topUp
  const unused = unusedValue(grant, current, now)
  const moves = kind === "moves"
  const meter = moves
    ? movedMeter(grant.meter, offer.units, unused, nominal)
    : moreOf(grant.meter, offer.units)
  const expiresAt = moves
    ? now + offer.durationSeconds + credited(offer.durationSeconds, unused, nominal)
    : Math.max(now, grant.expiresAt) + offer.durationSeconds
  const tokensFrom = moves ? afterAll(grant, now) : null
  const after = {
    ...grant,
    offer: offer.ref,
    scope: offer.scope,
    expiresAt,
    meter,
    token: tokenOf(grant, bought, expiresAt, tokensFrom ?? now),
  }
  return {
    grant: after,
    topUp: {
      ...topUp,
      token: null,
      gave: {
        before: { offer: grant.offer, scope: grant.scope, meter: grant.meter && settledMeter(grant.meter) },
        seconds: expiresAt - grant.expiresAt,
        units: meter && grant.meter && meter.left - grant.meter.left,
        basis: { value: unused + nominal, since: now, until: expiresAt, units: meter?.left ?? null },
      },
    },
    entry: "topped_up",
    credit: unused,
    tokensFrom,
    dropsSlices: moves,
  }
}

/** Returns an instant later than every token of the grant, so that new tokens differ from older ones. */
const afterAll = ({ token }: Grant, now: number): number => Math.max(now, token?.issuedAt ?? 0) + 1

/** Returns the part of an offer that the credit buys, beside the payment. */
const credited = (whole: number, credit: bigint, price: bigint): number =>
  price === 0n ? 0 : Number((BigInt(whole) * credit) / price)

const moreOf = (meter: Meter | null, units: number | null): Meter | null =>
  meter && units !== null ? give(meter, units) : meter

function movedMeter(meter: Meter | null, units: number | null, credit: bigint, price: bigint): Meter | null {
  if (units === null) return null
  const left = units + credited(units, credit, price)
  const { spent } = meter ? settledMeter(meter) : { spent: 0 }
  return { given: left + spent, left, held: 0, spent }
}

function tokenOf(
  grant: Grant,
  { topUp, state }: TopUpRedemption,
  until: number,
  from: number,
): TokenRecord | null {
  const issuedAt = Math.max(from, grant.token?.issuedAt ?? 0)
  // Without a token of its own, present tokens end and the next refresh brings a new one.
  if (!topUp.token) return grant.token && { ...grant.token, issuedAt, expiresAt: issuedAt }
  const { jti, seconds } = topUp.token
  const settled = settlementState(state) === "settled"
  return { jti, issuedAt, expiresAt: Math.min(issuedAt + seconds, until), settled }
}

/**
 * Withdraws the gains of a failed top-up, and no more: the grant becomes as it would be without it. The grant ends when
 * the gains are already spent, or when it has moved on since. `newest` means that the grant stands on this payment.
 */
export function takeBack(grant: Grant, bought: TopUpRedemption, newest: boolean, now: number): TopUpEffect {
  const { topUp } = bought
  const gone = { ...topUp, gave: null }
  const from = afterAll(grant, now)
  const effect = { topUp: gone, entry: "taken_back", credit: 0n, tokensFrom: from } as const
  const { gave } = topUp
  if (!gave || grant.ended) return { ...effect, grant, dropsSlices: false }
  const meter = meterWithout(grant.meter, gave)
  if (meter === "spent" || (topUp.kind === "moves" && !newest))
    return { ...effect, grant: { ...grant, ended: { reason: endedBy, at: now } }, dropsSlices: false }
  return {
    ...effect,
    grant: {
      ...grant,
      ...(newest && { offer: gave.before.offer, scope: gave.before.scope }),
      expiresAt: grant.expiresAt - gave.seconds,
      meter,
      token: grant.token && { ...grant.token, issuedAt: from, expiresAt: from },
    },
    dropsSlices: (meter === null) !== (grant.meter === null),
  }
}

const endedBy: GrantEnd = "settlement_failed"

function meterWithout(meter: Meter | null, { before, units }: Gave): Meter | null | "spent" {
  if (!before.meter || !meter || units === null) return before.meter
  return without(meter, units)
}

/** Returns the effect of the chain's verdict on a top-up; null without one. */
export function topUpVerdict(
  grant: Grant,
  current: Redemption | null,
  bought: TopUpRedemption,
  now: number,
): TopUpEffect | null {
  const state = settlementState(bought.state)
  const { gave } = bought.topUp
  if (state === "settled" && !gave && !grant.ended && current) return topUpGrant(grant, current, bought, now)
  if (state === "failed" && gave) return takeBack(grant, bought, current?.key === bought.key, now)
  return null
}

export type TopUpRequest = {
  /** Of the refresh token that was shown. */
  readonly generation: number
  /** Of the key the request proved to have, if it did. */
  readonly keyThumbprint: string | null
  /** The offer is sold to holders of a key only. */
  readonly needsKey: boolean
  /** The offer of the grant, from which `kind` follows. */
  readonly from: string
}

/** Why a grant takes no further payment now, or not this one; nothing was paid then. */
export function whyNoTopUp(
  grant: Grant,
  payments: readonly Redemption[],
  current: Redemption | null,
  bought: TopUpRedemption,
  { request, now }: { readonly request: TopUpRequest; readonly now: number },
): Reason | undefined {
  if (!grant.paid || grant.parent !== null || !current || current.state === "free") return "top_up_refused"
  const over = whyOver(grant, settlementState(current.state), now)
  if (over && over !== "grant_used_up" && over !== "settlement_delayed") return over
  if (grant.keyThumbprint !== null && request.keyThumbprint !== grant.keyThumbprint)
    return "dpop_key_mismatch"
  if (request.needsKey && grant.keyThumbprint === null) return "dpop_required"
  if (request.generation !== grant.generation) return "refresh_token_stale"
  // One top-up at a time: otherwise their gains could not be distinguished.
  const isPending = payments.some(({ state }) => isUnsettled(state))
  if (isPending || !isIssued(grant) || grant.offer !== request.from) return "top_up_pending"
  const { kind, offer } = bought.topUp
  const isLarger = includesScope(offer.scope, grant.scope) && bought.nominal > current.nominal
  if (kind === "moves" && !isLarger) return "offer_smaller"
  const { grant: after } = topUpGrant(grant, current, bought, now)
  const isTooLarge = after.expiresAt > now + longestGrantSeconds || (after.meter?.given ?? 0) > mostUnits
  return isTooLarge ? "grant_full" : undefined
}
