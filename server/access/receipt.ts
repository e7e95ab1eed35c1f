/** Returns the receipt of a grant's payment to its owner. It is signed after settlement. */

import type { Receipt } from "../../shared/oauth/receipt.ts"
import { Refusal } from "../../shared/refusals.ts"
import { accountId } from "../../shared/values/evm.ts"
import { isSettled, type Redemption, settlementState } from "../core/redemption.ts"
import type { Keys } from "../ports/keys.ts"
import type { Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import type { FindGrant, Proof } from "./grant-lookup.ts"

/**
 * `receipt`: of the further payment whose secret was shown, or of the last one the grant stands on; `receipts`: of every one
 * that is settled, the oldest first. Throws a Refusal while there is nothing to confirm.
 */
export function createReceipts(
  deps: {
    find: FindGrant
    store: Pick<Store, "history" | "payments">
    keys: Pick<Keys, "signReceipt">
    now: Now
  },
  issuer: string,
): (proof: Proof) => Promise<{ readonly receipt: string; readonly receipts: readonly string[] }> {
  async function sign(redemption: Redemption): Promise<string | undefined> {
    const history = await deps.store.history({ key: redemption.key })
    const offer = history?.entries.find((entry) => entry.kind === "redeemed" || entry.kind === "claimed")
      ?.facts.offer
    const settled = history?.entries.findLast(({ kind }) => kind === "settled" || kind === "imported")
    // Read a moment later, and a block may have gone since.
    if (offer === undefined || !settled || !history?.redemption.evidence) return undefined
    return deps.keys.signReceipt(receiptOf(history.redemption, offer, settled.at, issuer, deps.now()))
  }

  return async (proof) => {
    const { grant, redemption } = await deps.find(proof)
    // A derived grant was not bought, and its holder need not learn the buyer.
    const isBought = redemption && redemption.state !== "free" && grant.offer !== null
    if (grant.parent !== null || !isBought) throw new Refusal("receipt_none")
    const payments = await deps.store.payments({ grantId: grant.id })
    const signed = new Map<string, string>()
    for (const payment of payments.filter(({ state }) => isSettled(state))) {
      const receipt = await sign(payment)
      if (receipt !== undefined) signed.set(payment.key, receipt)
    }
    const receipt = signed.get(redemption.key)
    if (receipt !== undefined) return { receipt, receipts: [...signed.values()] }
    throw new Refusal(
      settlementState(redemption.state) === "failed" ? "settlement_failed" : "receipt_pending",
    )
  }
}

function receiptOf(
  { network, asset, transfer, evidence, grantId }: Redemption,
  offer: string,
  settledAt: number,
  issuer: string,
  now: number,
): Receipt {
  if (!evidence) throw new Refusal("receipt_pending")
  return {
    iss: issuer,
    iat: now,
    sub: accountId(network, transfer.payer),
    grant: grantId,
    offer,
    payment: {
      network,
      asset,
      payer: transfer.payer,
      pay_to: transfer.payTo,
      amount: transfer.value.toString(),
      transaction: evidence.transactionHash,
      log_index: evidence.logIndex,
      settled_at: settledAt,
    },
  }
}
