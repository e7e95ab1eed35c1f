/** Stops a grant while its payment is suspended, and lets it go on when the money comes late. */
import { isTopUp, stands } from "../../core/credit.ts"
import { resume } from "../../core/grant.ts"
import { lateFact } from "../../core/ledger-facts.ts"
import type { Redemption } from "../../core/redemption.ts"
import { integer } from "./columns.ts"
import { readGrant, updateGrant } from "./grants.ts"
import { book, lastTokenAt, publish } from "./ledger.ts"
import type { Rows } from "./rows.ts"

export const stopQueries = {
  suspendedOf: "SELECT 1 FROM redemptions WHERE grant_id = :grantId AND state = 'suspended' AND stands = 1",
  stoppedAt: `
    SELECT at FROM entries
    WHERE redemption_key = :key AND kind IN ('suspended', 'failed') AND sequence < :sequence AND sequence > coalesce(
      (SELECT max(sequence) FROM entries WHERE redemption_key = :key AND kind = 'settled' AND sequence < :sequence), 0)
    ORDER BY sequence LIMIT 1`,
}
const q = stopQueries

/** Whether tokens of the grant are refused because a payment that it stands on is suspended. */
export async function isSuspended(rows: Rows, grantId: string): Promise<boolean> {
  return (await rows.get(q.suspendedOf, { grantId })) !== undefined
}

/** Whether a move of the payment may stop its grant, or let it go on. */
export const stopsOrResumes = (before: Redemption, after: Redemption): boolean =>
  before.state !== after.state &&
  (after.state === "suspended" || before.state === "suspended" || before.state === "failed")

/** Publishes to gates that the grant is stopped or goes on. `sequence` is that of the entry on the move. */
export async function saveStop(
  rows: Rows,
  before: Redemption,
  after: Redemption,
  { sequence, at }: { readonly sequence: number; readonly at: number },
): Promise<void> {
  const { grantId, key, transfer } = after
  const grant = await readGrant(rows, grantId)
  if (!grant) return
  const subject = { grantId, redemptionKey: key }
  const expiresAt = Math.max(lastTokenAt(at), Number(transfer.validBefore))
  if (after.state === "suspended") {
    if (stands(after) && !grant.ended)
      await publish(rows, sequence, { kind: "suspended", grantId, expiresAt }, at)
    return
  }
  const isLate = before.state === "failed"
  const resumes = isLate
    ? !isTopUp(after) && grant.ended?.reason === "settlement_failed"
    : stands(before) && !grant.ended && !(await isSuspended(rows, grantId))
  if (resumes) {
    const stopped = await rows.get(q.stoppedAt, { key, sequence })
    await updateGrant(rows, resume(grant, stopped ? integer(stopped.at) : at, at))
    const resumed = await book(rows, lateFact("resumed", after), subject, at)
    await publish(rows, resumed, { kind: "resumed", grantId, expiresAt }, at)
  } else if (isLate && grant.ended) await book(rows, lateFact("owed", after), subject, at)
}
