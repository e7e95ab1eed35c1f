/** Derives a child grant for a sub-agent, with less scope, units and life; it spends from its parent. */

import type { SettlementState } from "../../shared/oauth/messages.ts"
import { longestTokenSeconds } from "../../shared/oauth/revocation.ts"
import type { Reason } from "../../shared/refusals.ts"
import {
  type Grant,
  type IssuedGrant,
  isIssued,
  isOf,
  openGrant,
  plainTokenSeconds,
  whyOver,
} from "./grant.ts"
import { type Meter, openMeter, remaining } from "./units.ts"
import { includesScope } from "./whitelist.ts"

/** Limit of one parent, so that a holder can neither fill the books nor hide behind a crowd of tokens. */
export const derivedPerHour = 100

export type DeriveRequest = {
  /** Generation of the refresh token that was shown; null when it was an access token. */
  readonly generation: number | null
  /** End of the token that was shown: a thief gets nothing that lives longer. Null for a refresh token. */
  readonly shownUntil: number | null
  /** The resources from whose grants the service derives. */
  readonly resources: readonly string[]
  /** Of the key the request proved to have, if it did. */
  readonly keyThumbprint: string | null
  /** Of the child. */
  readonly id: string
  readonly jti: string
  /** All that the parent has when not given. */
  readonly scope: string | null
  readonly units: number | null
  readonly lifeSeconds: number
  /** Thumbprint of the key the child is bound to; that of its parent when not given. */
  readonly boundTo: string | null
  readonly now: number
}

/** An access token that a holder presents in exchange for another. */
export type PresentedToken = { readonly jti: string; readonly issuedAt: number }

export type DeriveDecision =
  | { readonly kind: "derived"; readonly grant: IssuedGrant }
  | { readonly kind: "refused"; readonly reason: Reason }

/** `recent`: how many were derived from the parent in the last hour, which is longer than any of them lives. */
export function derive(
  parent: Grant,
  settlement: SettlementState,
  recent: number,
  request: DeriveRequest,
): DeriveDecision {
  const { now } = request
  if (!isOf(parent, request)) return refused("subject_token_invalid")
  if (parent.parent !== null) return refused("token_derived")
  const over = whyOver(parent, settlement, now)
  if (over) return refused(over)
  if (!isIssued(parent)) return refused("subject_token_invalid")
  if (parent.keyThumbprint !== null && request.keyThumbprint !== parent.keyThumbprint)
    return refused("dpop_key_mismatch")
  if (request.generation !== null && request.generation !== parent.generation)
    return refused("refresh_token_stale")
  const scope = request.scope ?? parent.scope
  if (!includesScope(parent.scope, scope)) return refused("invalid_scope")
  if (recent >= derivedPerHour) return refused("too_many_derived")

  // It cannot be refreshed, so while the payment is pending it lives no longer than a plain client's token.
  const longest = settlement === "pending" ? plainTokenSeconds : longestTokenSeconds
  const expiresAt = Math.min(
    now + Math.min(request.lifeSeconds, longest),
    parent.expiresAt,
    request.shownUntil ?? parent.expiresAt,
  )
  const { offer, subject, paid, startsAt, resource } = parent
  const terms = {
    offer,
    subject,
    paid,
    startsAt,
    resource,
    scope,
    expiresAt,
    opening: null,
    idempotencyHash: null,
  }
  return {
    kind: "derived",
    grant: {
      ...openGrant({
        ...terms,
        id: request.id,
        meter: openMeter(lesser(request.units, parent.meter && remaining(parent.meter))),
        keyThumbprint: request.boundTo ?? request.keyThumbprint,
        token: {
          jti: request.jti,
          issuedAt: Math.max(now, parent.token.issuedAt),
          expiresAt,
          settled: settlement !== "pending",
        },
      }),
      parent: parent.id,
    },
  }
}

/** A derived grant within its parent: never more units, and never a longer life. */
export const withinParent = (child: Grant, parent: Grant): Grant => ({
  ...child,
  expiresAt: Math.min(child.expiresAt, parent.expiresAt),
  ended: child.ended ?? parent.ended,
  meter: lesserMeter(child.meter, parent.meter),
})

function lesserMeter(own: Meter | null, parent: Meter | null): Meter | null {
  if (!own || !parent) return own ?? parent
  return { ...own, left: Math.min(own.left, parent.left) }
}

const lesser = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b)

const refused = (reason: Reason): DeriveDecision => ({ kind: "refused", reason })
