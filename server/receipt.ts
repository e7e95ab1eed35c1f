/** The receipt of a grant's payment, for whoever can show that the grant is his: signed once the money is in. */
import { Refusal } from "../shared/errors.ts"
import { accountId } from "../shared/evm.ts"
import type { Receipt } from "../shared/receipt.ts"
import { isSettled, settlementState } from "./core/redemption.ts"
import type { FindOwned, Owned, Proof } from "./owner.ts"
import type { Keys } from "./ports/keys.ts"
import type { Now } from "./ports/runtime.ts"
import type { Store } from "./ports/store.ts"

/** Throws a Refusal while there is nothing to confirm. */
export function createReceipts(
  deps: {
    find: FindOwned
    store: Pick<Store, "history">
    keys: Pick<Keys, "signReceipt">
    now: Now
  },
  issuer: string,
): (proof: Proof) => Promise<{ readonly receipt: string }> {
  return async (proof) => {
    const owned = await deps.find(proof)
    const { grant, redemption } = owned
    // What was derived was not bought, and whoever got it need not know by whom.
    if (grant.parent !== null) throw new Refusal("receipt_none")
    if (!redemption || redemption.state === "free" || grant.offer === null) throw new Refusal("receipt_none")
    if (settlementState(redemption.state) === "failed") throw new Refusal("settlement_failed")
    if (!isSettled(redemption.state)) throw new Refusal("receipt_pending")
    const history = await deps.store.history({ key: redemption.key })
    const settled = history?.entries.findLast(({ kind }) => kind === "settled")
    // Read a moment later, and a block may have gone since.
    if (!settled) throw new Refusal("receipt_pending")
    return { receipt: await deps.keys.signReceipt(receiptOf(owned, settled.at, issuer, deps.now())) }
  }
}

function receiptOf({ grant, redemption }: Owned, settledAt: number, issuer: string, now: number): Receipt {
  if (!redemption?.evidence || grant.offer === null) throw new Refusal("receipt_pending")
  const { network, asset, transfer, evidence } = redemption
  return {
    iss: issuer,
    iat: now,
    sub: accountId(network, transfer.payer),
    grant: grant.id,
    offer: grant.offer,
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
