/** Claims a payment once and opens its grant; recalls the claim of a key. */
import { idempotencySeconds, openGrant } from "../../core/grant.ts"
import { redeemedFact } from "../../core/ledger-facts.ts"
import type { SettlePolicy } from "../../core/redemption.ts"
import type { Redeemed, RedeemOrder, RedeemOutcome } from "../../ports/records.ts"
import { saveBreaker } from "../records/exposure.ts"
import { addGrant } from "../records/grants.ts"
import { book } from "../records/ledger.ts"
import { readRedeemed, saveRedemption } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"
import { isListed } from "../records/whitelist.ts"
import { admitOrder, redemptionOf } from "./admission.ts"

export const redeemQueries = {
  hashTaken: "SELECT 1 FROM grants WHERE idempotency_hash = :hash AND starts_at >= :since LIMIT 1",
}
const q = redeemQueries

export async function redeem(rows: Rows, order: RedeemOrder): Promise<RedeemOutcome> {
  const known = await recall(rows, order)
  if (known) return { kind: "repeated", ...known }
  if (await isHashTaken(rows, order)) return { kind: "refused", reason: "idempotency_conflict" }
  if (!order.settle && !(await isListed(rows, order.grant)))
    return { kind: "refused", reason: "access_denied" }
  const admission = order.settle ? await admitOrder(rows, order) : null
  if (admission?.kind === "refused") return admission
  const { grant, redemption } = redeemedOf(order, admission?.policy ?? "background")
  await addGrant(rows, grant)
  await saveRedemption(rows, null, redemption, order.now)
  if (admission?.breaker) await saveBreaker(rows, admission.breaker)
  const subject = { grantId: grant.id, redemptionKey: order.key }
  await book(rows, redeemedFact(redemption, grant.offer), subject, order.now)
  return { kind: "redeemed", redemption, grant, limit: admission?.limit ?? null }
}

export function recall(rows: Rows, { key }: { key: string }): Promise<Redeemed | null> {
  return readRedeemed(rows, key)
}

export async function isHashTaken(
  rows: Rows,
  { grant, now }: Pick<RedeemOrder, "grant" | "now">,
): Promise<boolean> {
  const { idempotencyHash: hash } = grant
  return (
    hash !== null && (await rows.get(q.hashTaken, { hash, since: now - idempotencySeconds })) !== undefined
  )
}

/** The rows of an order; a free one never waits for money. */
export const redeemedOf = (order: RedeemOrder, policy: SettlePolicy): Redeemed => ({
  redemption: openingRow(order, policy),
  grant: openGrant(policy === "first" ? { ...order.grant, token: null, ...proofOf(order) } : order.grant),
})

function openingRow(order: RedeemOrder, policy: SettlePolicy) {
  const row = redemptionOf(order, order.grant.id, policy)
  if (order.settle) return row
  // A payment that is never settled needs no signature, and a signature that is not stored cannot leak.
  return { ...row, transfer: { ...order.transfer, signature: "0x" }, state: "free", dueAt: null } as const
}

/** The later proof of a buyer who brought none: the secret made up for them. */
const proofOf = ({ grant, retryHash }: RedeemOrder) => ({
  idempotencyHash:
    grant.opening === null && grant.idempotencyHash === null ? retryHash : grant.idempotencyHash,
})
