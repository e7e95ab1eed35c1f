/** Claims a further payment for a grant; lists every payment for one. */
import { type TopUpRedemption, topUpGrant, whyNoTopUp } from "../../core/credit.ts"
import { redeemedFact } from "../../core/ledger-facts.ts"
import type { Redemption, SettlePolicy } from "../../core/redemption.ts"
import type { TopUpOrder, TopUpOutcome } from "../../ports/records.ts"
import { saveBreaker } from "../records/exposure.ts"
import { readGrant } from "../records/grants.ts"
import { book } from "../records/ledger.ts"
import { saveTopUp } from "../records/moves.ts"
import { readCurrent, readPayments, readRedeemed, saveRedemption } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"
import { admitOrder, redemptionOf } from "./admission.ts"

export async function topUp(rows: Rows, order: TopUpOrder): Promise<TopUpOutcome> {
  const known = await readRedeemed(rows, order.key)
  if (known) return { kind: "repeated", ...known }
  const grant = await readGrant(rows, order.grantId)
  if (!grant) return { kind: "refused", reason: "grant_lost" }
  const current = await readCurrent(rows, grant.id)
  const why = whyNoTopUp(
    grant,
    await readPayments(rows, grant.id),
    current,
    furtherRow(order, "background"),
    order,
  )
  if (why || !current) return { kind: "refused", reason: why ?? "top_up_refused" }
  const admission = await admitOrder(rows, order)
  if (admission.kind === "refused") return admission
  const { policy, limit, breaker } = admission
  const bought = furtherRow(order, policy)
  await saveRedemption(rows, null, bought, order.now)
  if (breaker) await saveBreaker(rows, breaker)
  const subject = { grantId: grant.id, redemptionKey: order.key }
  await book(rows, redeemedFact(bought, bought.topUp.offer.ref), subject, order.now)
  if (policy === "first") return { kind: "redeemed", redemption: bought, grant, limit }
  const effect = topUpGrant(grant, current, bought, order.now)
  const redemption = await saveTopUp(rows, grant, bought, effect, order.now)
  return { kind: "redeemed", redemption, grant: effect.grant, limit }
}

export function payments(rows: Rows, { grantId }: { grantId: string }): Promise<readonly Redemption[]> {
  return readPayments(rows, grantId)
}

/** The row of a further payment; its credit follows, at once or with the verdict of the chain. */
function furtherRow(order: TopUpOrder, policy: SettlePolicy): TopUpRedemption {
  const { jti, lives, topUp, grantId } = order
  const token = { jti, seconds: policy === "first" ? lives.full : lives.pending }
  return { ...redemptionOf(order, grantId, policy), topUp: { ...topUp, token, gave: null } }
}
