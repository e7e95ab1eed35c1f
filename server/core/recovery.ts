/** Gives the owner of a purchase a new grant in place of one that a reused refresh token ended. */
import { type Grant, type IssuedGrant, type IssueRequest, isIssued, isRefreshable, whyOver } from "./grant.ts"
import { type Redemption, settlementState } from "./redemption.ts"
import { settledMeter } from "./units.ts"

/**
 * The new grant has the same end and the rest of the units, and tokens that no earlier one can refresh. Undefined for a
 * grant that lives, ended for another reason, or has nothing left.
 */
export function successorOf(
  grant: Grant,
  { state }: Pick<Redemption, "state">,
  { id, jti, now, lives }: IssueRequest & { readonly id: string },
): IssuedGrant | undefined {
  const settlement = settlementState(state)
  const isReused = grant.ended?.reason === "refresh_token_reused"
  const alive = { ...grant, meter: grant.meter && settledMeter(grant.meter), ended: null }
  if (!isReused || !isIssued(grant) || !isRefreshable(grant) || whyOver(alive, settlement, now))
    return undefined
  const settled = settlement === "settled"
  const expiresAt = Math.min(now + (settled ? lives.full : lives.pending), grant.expiresAt)
  const token = { jti, issuedAt: now, expiresAt, settled }
  return { ...alive, id, generation: 0, rotation: null, token }
}
