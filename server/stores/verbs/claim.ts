/** Claims a payment that was on the chain before it came, also where catch-up has imported it already. */
import { isUnclaimed } from "../../core/claim.ts"
import { openGrant } from "../../core/grant.ts"
import { claimedFact, importedFact } from "../../core/ledger-facts.ts"
import type { Redemption } from "../../core/redemption.ts"
import type { ClaimOrder, ClaimOutcome } from "../../ports/records.ts"
import { addGrant } from "../records/grants.ts"
import { book } from "../records/ledger.ts"
import { readRedeemed, saveRedemption } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"
import { isPaying } from "./catch-up.ts"
import { isHashTaken } from "./redeem.ts"

export const claimQueries = {
  // With the signature and the window, so that the payment can be sent when a reorg removes its transfer.
  moveToGrant: `
    UPDATE redemptions SET grant_id = :grantId, valid_after = :validAfter, valid_before = :validBefore,
      signature = :signature, payer_code = :payerCode
    WHERE key = :key`,
  // The placeholder of an imported payment: nothing was paid for it any more.
  setUnpaid: "UPDATE grants SET paid = 0 WHERE id = :id",
}
const q = claimQueries

export async function claim(rows: Rows, order: ClaimOrder): Promise<ClaimOutcome> {
  const { key, network, evidence, now } = order
  const known = await readRedeemed(rows, key)
  if (known && !isUnclaimed(known)) return { kind: "repeated", ...known }
  if (await isHashTaken(rows, order)) return { kind: "refused", reason: "idempotency_conflict" }
  const isAnother = known ? !isSameMoney(known.redemption, order) : await isPaying(rows, network, evidence)
  if (isAnother) return { kind: "refused", reason: "authorization_conflict" }
  const grant = openGrant(order.grant)
  const subject = { grantId: grant.id, redemptionKey: key }
  await addGrant(rows, grant)
  const redemption = known ? claimedRow(known.redemption, order) : arrivedRow(order)
  if (known) {
    const { validAfter, validBefore, signature } = redemption.transfer
    await rows.run(q.moveToGrant, {
      key,
      grantId: grant.id,
      validAfter: validAfter.toString(),
      validBefore: validBefore.toString(),
      signature,
      payerCode: redemption.payerCode,
    })
    await rows.run(q.setUnpaid, { id: known.grant.id })
  } else {
    await saveRedemption(rows, null, redemption, now)
    await book(rows, importedFact(redemption), subject, now)
  }
  await book(rows, claimedFact(redemption, grant.offer), subject, now)
  return { kind: "redeemed", redemption, grant }
}

/** The imported row says how much arrived, and where. */
const isSameMoney = ({ transfer }: Redemption, order: ClaimOrder): boolean =>
  transfer.payTo === order.transfer.payTo && transfer.value === order.transfer.value

const claimedRow = (row: Redemption, { grant, transfer, payerCode }: ClaimOrder): Redemption => ({
  ...row,
  grantId: grant.id,
  transfer,
  payerCode,
})

/** Paid from the beginning, so its value is never unsettled. */
const arrivedRow = (order: ClaimOrder): Redemption => ({
  key: order.key,
  grantId: order.grant.id,
  network: order.network,
  scheme: order.scheme,
  asset: order.asset,
  transfer: order.transfer,
  nominal: order.nominal,
  // Not on credit: a reorg that removes the payment causes no loss.
  policy: "first",
  payerCode: order.payerCode,
  state: "paid",
  fromBlock: order.evidence.blockNumber,
  acceptedAt: order.now,
  dueAt: null,
  attempts: 0,
  transactionId: null,
  evidence: order.evidence,
  failure: null,
  lastError: null,
  topUp: null,
})
