/** Stops a grant while its payment is suspended, and lets it go on when the money comes late. */
import type { Revocation } from "../../../shared/oauth/revocation.ts"
import { isTopUp, stands } from "../../core/credit.ts"
import { resume } from "../../core/grant.ts"
import { lateFact } from "../../core/ledger-facts.ts"
import type { Redemption } from "../../core/redemption.ts"
import { integer } from "./columns.ts"
import { readGrant, updateGrant } from "./grants.ts"
import { book, lastTokenAt } from "./ledger.ts"
import type { Rows } from "./rows.ts"

export const stopQueries = {
  suspendedOf: "SELECT 1 FROM redemptions WHERE grant_id = :grantId AND state = 'suspended' AND stands = 1",
  stoppedAt: `
    SELECT at FROM entries
    WHERE redemption_key = :key AND kind IN ('suspended', 'failed') AND sequence > coalesce(
      (SELECT max(sequence) FROM entries WHERE redemption_key = :key AND kind = 'settled'), 0)
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

/** Since when the grant is stopped; null when it is not. Asked before the move that ends this is booked. */
export async function readStoppedAt(rows: Rows, { key }: Redemption): Promise<number | null> {
  const row = await rows.get(q.stoppedAt, { key })
  return row ? integer(row.at) : null
}

/** The news for gates that the payment behind a living grant is suspended; null where nothing was sold for it yet. */
export async function stopOf(rows: Rows, after: Redemption, at: number): Promise<Revocation | null> {
  if (after.state !== "suspended" || !stands(after)) return null
  const grant = await readGrant(rows, after.grantId)
  return grant && !grant.ended ? changeOf("suspended", after, at) : null
}

/** Lets the grant go on after its payment was suspended or had failed, or books that the money is owed. */
export async function saveResumption(
  rows: Rows,
  before: Redemption,
  after: Redemption,
  { stoppedAt, at }: { readonly stoppedAt: number; readonly at: number },
): Promise<void> {
  const { grantId, key } = after
  const grant = await readGrant(rows, grantId)
  if (!grant || after.state === "suspended") return
  const subject = { grantId, redemptionKey: key }
  const isLate = before.state === "failed"
  const resumes = isLate
    ? !isTopUp(after) && grant.ended?.reason === "settlement_failed"
    : stands(before) && !grant.ended && !(await isSuspended(rows, grantId))
  if (resumes) {
    await updateGrant(rows, resume(grant, stoppedAt, at))
    await book(rows, lateFact("resumed", after), subject, at, changeOf("resumed", after, at))
  } else if (isLate && grant.ended) await book(rows, lateFact("owed", after), subject, at)
}

const changeOf = (
  kind: "suspended" | "resumed",
  { grantId, transfer }: Redemption,
  at: number,
): Revocation => ({
  kind,
  grantId,
  expiresAt: Math.max(lastTokenAt(at), Number(transfer.validBefore)),
})
