/** Moves the payments of a grant that a reused refresh token ended to a new grant of the same buyer. */
import type { IssueRequest } from "../../core/grant.ts"
import { recoveredFact } from "../../core/ledger-facts.ts"
import { successorOf } from "../../core/recovery.ts"
import { settledMeter } from "../../core/units.ts"
import type { Redeemed } from "../../ports/records.ts"
import { addGrant, updateTerms } from "../records/grants.ts"
import { book } from "../records/ledger.ts"
import { moveQueries } from "../records/moves.ts"
import { readRedeemed } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"
import { claimQueries } from "./claim.ts"

export const recoverQueries = {
  movePayments: "UPDATE redemptions SET grant_id = :to WHERE grant_id = :from",
}
const q = recoverQueries

export async function recover(
  rows: Rows,
  { key, ...request }: { key: string; id: string } & IssueRequest,
): Promise<Redeemed | null> {
  const known = await readRedeemed(rows, key)
  const successor = known && successorOf(known.grant, known.redemption, request)
  if (!known || !successor) return known
  const { id, meter } = known.grant
  // Units that gates still hold count as spent.
  await rows.run(moveQueries.dropSlices, { id })
  await rows.run(moveQueries.spendHeld, { id })
  await updateTerms(rows, { ...known.grant, meter: meter && settledMeter(meter) })
  await addGrant(rows, successor)
  await rows.run(q.movePayments, { from: id, to: successor.id })
  await rows.run(claimQueries.setUnpaid, { id })
  await book(rows, recoveredFact(id), { grantId: successor.id, redemptionKey: key }, request.now)
  return readRedeemed(rows, key)
}
