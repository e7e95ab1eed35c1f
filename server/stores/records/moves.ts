/** Steps of a payment towards its money, and what each gives to its grant or takes from it. */
import type { Revocation } from "../../../shared/oauth/revocation.ts"
import { isTopUp, type TopUpEffect, type TopUpRedemption, topUpVerdict } from "../../core/credit.ts"
import type { Grant } from "../../core/grant.ts"
import { movedFact, toppedFact } from "../../core/ledger-facts.ts"
import type { MoveEffect, Redemption } from "../../core/redemption.ts"
import { family, readGrant, updateTerms } from "./grants.ts"
import { book, lastTokenAt, saveGrant } from "./ledger.ts"
import { readCurrent, saveRedemption } from "./redemptions.ts"
import type { Rows } from "./rows.ts"
import { readStoppedAt, saveResumption, stopOf, stopsOrResumes } from "./stops.ts"

export const moveQueries = {
  dropSlices: `DELETE FROM slices WHERE grant_id IN ${family}`,
  spendHeld: `
    UPDATE grants SET units_spent = units_spent + units_held, units_held = 0 WHERE parent = :id AND units_held > 0`,
}
const q = moveQueries

/** Changes the grant as its further payment, or the failure of that, decides. */
export async function saveTopUp(
  rows: Rows,
  grant: Grant,
  bought: TopUpRedemption,
  effect: TopUpEffect,
  at: number,
): Promise<TopUpRedemption> {
  const { id } = grant
  const after = { ...bought, topUp: effect.topUp }
  await saveRedemption(rows, bought, after, at)
  if (effect.dropsSlices) {
    await rows.run(q.dropSlices, { id })
    await rows.run(q.spendHeld, { id })
  }
  await updateTerms(rows, effect.grant)
  await saveGrant(rows, grant, effect.grant, bought.key, at)
  const subject = { grantId: id, redemptionKey: bought.key }
  const { tokensFrom } = effect
  const superseded = tokensFrom === null ? null : changeOfTokens(id, tokensFrom, at)
  await book(rows, toppedFact(bought, effect), subject, at, superseded)
  return after
}

/** Saves the moved row, books the move, and carries its effect out on the grant. `admin`: who asked for a retry. */
export async function saveMove(
  rows: Rows,
  before: Redemption,
  effect: MoveEffect,
  at: number,
  admin?: string,
): Promise<void> {
  const { redemption: after, entry, endsGrant } = effect
  const changesAccess = stopsOrResumes(before, after)
  const stoppedAt = changesAccess ? await readStoppedAt(rows, before) : null
  await saveRedemption(rows, before, after, at)
  const subject = { grantId: after.grantId, redemptionKey: after.key }
  const stop = changesAccess ? await stopOf(rows, after, at) : null
  if (entry) await book(rows, movedFact(entry, before, after, admin), subject, at, stop)
  if (!endsGrant && !isTopUp(after) && !changesAccess) return
  const grant = await readGrant(rows, after.grantId)
  if (!grant) return
  if (isTopUp(after)) {
    const verdict = topUpVerdict(grant, await readCurrent(rows, grant.id), after, at)
    if (verdict) await saveTopUp(rows, grant, after, verdict, at)
  } else if (endsGrant && !grant.ended)
    await saveGrant(rows, grant, { ...grant, ended: { reason: "settlement_failed", at } }, after.key, at)
  if (changesAccess) await saveResumption(rows, before, after, { stoppedAt: stoppedAt ?? at, at })
}

/** Revokes the tokens issued before a change: their claims no longer describe the grant. */
const changeOfTokens = (grantId: string, before: number, at: number): Revocation => ({
  kind: "tokens",
  grantId,
  before,
  expiresAt: lastTokenAt(at),
})
