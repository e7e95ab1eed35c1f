/** Defines a grant, the source of access tokens, and decides how its refresh tokens rotate. */

import type { SettlementState } from "../../shared/oauth/messages.ts"
import type { GrantEnd } from "../../shared/oauth/revocation.ts"
import type { Reason } from "../../shared/refusals.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { isUsedUp, type Meter } from "./units.ts"

/** The last access token issued from a grant; with the grant's row it determines the token's claims. */
export type TokenRecord = {
  /** 128 random bits, base64url. */
  readonly jti: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** Whether the payment had settled when the token was issued. */
  readonly settled: boolean
}

/** A rotation of a refresh token. */
export type Rotation = {
  readonly at: number
  /** The sealed peer that asked for it. */
  readonly by: string
  /** How often the previous refresh token was shown again since then and got the same answer. */
  readonly repeats: number
}

export type Grant = {
  /** 128 random bits, base64url. */
  readonly id: string
  /** Reference of the offer bought; null for a grant without a payment. */
  readonly offer: string | null
  readonly scope: string
  /** CAIP-10 of the payer in lower case, or a client id. */
  readonly subject: string
  /** False for whitelisted callers. */
  readonly paid: boolean
  /**
   * Before the first token of a settle-first purchase these two only hold the duration: both move when it is issued.
   */
  readonly startsAt: number
  readonly expiresAt: number
  /** sha256 of the buyer's secret; null for a plain client, which cannot refresh. */
  readonly opening: Hex | null
  /** SHA-256 (hex) of the Idempotency-Key of a plain client. */
  readonly idempotencyHash: string | null
  /** Null when only time ends it. */
  readonly meter: Meter | null
  /** Of the key its tokens are bound to (RFC 9449); null for bearer tokens. */
  readonly keyThumbprint: string | null
  /** The grant it was derived from: it spends from that one, and ends with it. */
  readonly parent: string | null
  /** The audience of its tokens; null for older grants, which every service of these books accepts. */
  readonly resource: string | null
  /** Of the refresh token that is valid now. */
  readonly generation: number
  /** The last rotation; null before the first. */
  readonly rotation: Rotation | null
  /** Null until the payment of a settle-first purchase is in. */
  readonly token: TokenRecord | null
  readonly ended: { readonly reason: GrantEnd; readonly at: number } | null
}

/** A grant with a token: answers are built from it. */
export type IssuedGrant = Grant & { readonly token: TokenRecord }
export const isIssued = (grant: Grant): grant is IssuedGrant => grant.token !== null

/** A grant before it is stored. */
export type NewGrant = Omit<IssuedGrant, "parent" | "generation" | "rotation" | "ended">

export const openGrant = <G extends Omit<Grant, "parent" | "generation" | "rotation" | "ended">>(
  grant: G,
) => ({
  ...grant,
  parent: null,
  generation: 0,
  rotation: null,
  ended: null,
})

/** No offer lasts longer. */
export const longestGrantSeconds = 10 * 365 * 86_400

/** Lives of access tokens in seconds. */
export type TokenLives = {
  readonly full: number
  /** While settlement is pending. */
  readonly pending: number
}

/** Longest token life for a plain client, which cannot refresh. */
export const plainTokenSeconds = 600
/** How long an Idempotency-Key proves a retry. */
export const idempotencySeconds = 24 * 3600

/**
 * Whether the buyer can prove ownership when the answer to a refresh is lost; only then there is a refresh token. A
 * derived grant has none: its one token lasts as long as the grant.
 */
export const isRefreshable = (
  grant: Pick<Grant, "offer" | "opening" | "keyThumbprint"> & Partial<Pick<Grant, "parent">>,
): boolean =>
  !grant.parent && grant.offer !== null && (grant.opening !== null || grant.keyThumbprint !== null)

/** The first token of a grant: short while its payment is pending, longer for a client that cannot refresh. */
export function firstToken(
  grant: Pick<Grant, "offer" | "opening" | "keyThumbprint" | "expiresAt" | "paid">,
  jti: string,
  now: number,
  lives: TokenLives,
  /** Whether the money is in, or none is owed. */
  settled = !grant.paid,
): TokenRecord {
  const life = settled ? lives.full : isRefreshable(grant) ? lives.pending : plainTokenSeconds
  return { jti, issuedAt: now, expiresAt: Math.min(now + life, grant.expiresAt), settled }
}

export type IssueRequest = { readonly jti: string; readonly now: number; readonly lives: TokenLives }

/**
 * Issues the first token of a settle-first purchase. Its time runs from now; a repeated request gets the same token.
 */
export function issue(grant: Grant, settlement: SettlementState, request: IssueRequest): Grant {
  if (isIssued(grant) || grant.ended || settlement !== "settled") return grant
  const { jti, now, lives } = request
  const expiresAt = now + grant.expiresAt - grant.startsAt
  const life = isRefreshable(grant) ? lives.full : plainTokenSeconds
  const token = { jti, issuedAt: now, expiresAt: Math.min(now + life, expiresAt), settled: true }
  return { ...grant, startsAt: now, expiresAt, token }
}

export type RotateRequest = {
  readonly generation: number
  /** sha256 of the secret the request showed, if it showed one. */
  readonly opening: Hex | null
  /** Of the key the request proved to have, if it did. */
  readonly keyThumbprint: string | null
  /** The resources whose grants the service rotates. */
  readonly resources: readonly string[]
  /** The peer of the request, sealed: equal for equal peers, and readable by nobody. */
  readonly peer: string
  readonly jti: string
  readonly now: number
  readonly lives: TokenLives
}

export type RotateDecision =
  /** `grant` replaces the row; answer from it. `repeated`: the same refresh was answered before. */
  | { readonly kind: "rotated" | "repeated"; readonly grant: IssuedGrant }
  /** `grant`, when given, replaces the row (it has ended). */
  | { readonly kind: "refused"; readonly reason: Reason; readonly grant?: Grant }

/** Decides the answer to a refresh token of `request.generation` (RFC 9700 §4.14.2). */
export function rotate(grant: Grant, settlement: SettlementState, request: RotateRequest): RotateDecision {
  const { now, generation, opening } = request
  if (!isOf(grant, request)) return { kind: "refused", reason: "refresh_token_invalid" }
  const over = whyOver(grant, settlement, now)
  if (over) return { kind: "refused", reason: over }
  // A refresh token comes with the first access token, and none with a derived one, so this one was never given out.
  if (!isIssued(grant) || grant.parent !== null) return { kind: "refused", reason: "refresh_token_invalid" }
  // Checked before the generation: a thief with the token but without the key can neither use it up nor end the
  // grant.
  const isBound = grant.keyThumbprint !== null
  if (isBound && request.keyThumbprint !== grant.keyThumbprint)
    return { kind: "refused", reason: "dpop_key_mismatch" }
  const life = settlement === "pending" ? request.lives.pending : request.lives.full
  const token: TokenRecord = {
    jti: request.jti,
    // A change of the grant may have revoked every token issued up to this second.
    issuedAt: Math.max(now, grant.token.issuedAt),
    expiresAt: Math.min(now + life, grant.expiresAt),
    settled: settlement !== "pending",
  }
  if (generation === grant.generation)
    return {
      kind: "rotated",
      grant: {
        ...grant,
        generation: generation + 1,
        rotation: { at: now, by: request.peer, repeats: 0 },
        token,
      },
    }
  // The buyer never got the answer. The secret yields the grant's state for the payment too, so a time limit would protect
  // nothing; it would only end a paid grant when the service was away for longer.
  const isOwner = isBound || (opening !== null && opening === grant.opening)
  const current = now < grant.token.expiresAt ? grant : { ...grant, token }
  const isPredecessor = generation === grant.generation - 1
  if (isPredecessor && isOwner) return { kind: "repeated", grant: current }
  const { rotation } = grant
  if (isPredecessor && rotation && mayRepeat(rotation, now))
    return {
      kind: "repeated",
      grant: { ...current, rotation: { ...rotation, repeats: rotation.repeats + 1 } },
    }
  return {
    kind: "refused",
    reason: "refresh_token_reused",
    grant: { ...grant, ended: { reason: "refresh_token_reused", at: now } },
  }
}

/** Several services may share their books; a grant of the cheap one must not open the dear one. */
export const isOf = (
  { resource }: Pick<Grant, "resource">,
  { resources }: { readonly resources: readonly string[] },
): boolean => resource === null || resources.includes(resource)

/** Tabs that refresh at the same time show the same token within so many seconds; later it counts as stolen. */
const repeatSeconds = 10
/** More repeats than that count as theft. */
const mostRepeats = 20

/** Counted from the rotation, so that repeats do not prolong the window. */
const mayRepeat = ({ at, repeats }: Rotation, now: number): boolean =>
  now >= at && now < at + repeatSeconds && repeats < mostRepeats

/**
 * The grant after its payment arrived late. It goes on for as long as it was stopped; the time of a grant without a token
 * has not begun.
 */
export function resume(grant: Grant, stoppedAt: number, now: number): Grant {
  const stopped = isIssued(grant) ? Math.max(0, now - stoppedAt) : 0
  return { ...grant, expiresAt: grant.expiresAt + stopped, ended: null }
}

const endReasons = {
  settlement_failed: "settlement_failed",
  refresh_token_reused: "refresh_token_reused",
  revoked: "grant_revoked",
  delisted: "access_denied",
  lost: "grant_lost",
} as const satisfies Record<GrantEnd, Reason>

/** The reason why a grant yields no more tokens; undefined while it is alive. */
export function whyOver(grant: Grant, settlement: SettlementState, now: number): Reason | undefined {
  if (settlement === "failed") return "settlement_failed"
  if (grant.ended) return endReasons[grant.ended.reason]
  if (settlement === "suspended") return "settlement_delayed"
  if (isIssued(grant) && now >= grant.expiresAt) return "grant_over"
  if (isUsedUp(grant.meter)) return "grant_used_up"
  return undefined
}

/** Whether a repeated payment is proven to come from its buyer. */
export function provesOwner(
  grant: Grant,
  shown: Pick<Grant, "opening" | "idempotencyHash" | "keyThumbprint">,
  now: number,
): boolean {
  if (grant.keyThumbprint !== null && shown.keyThumbprint === grant.keyThumbprint) return true
  if (grant.opening !== null && shown.opening !== null) return grant.opening === shown.opening
  if (grant.idempotencyHash !== null && shown.idempotencyHash !== null)
    return grant.idempotencyHash === shown.idempotencyHash && now <= grant.startsAt + idempotencySeconds
  return false
}
