/** Checks that the payment's nonce commits to the buyer's secret, the offer, the service and the grant of a top-up. */
import { Refusal } from "../../../shared/refusals.ts"
import { commitmentNonce, committedOffer } from "../../../shared/x402/commitment.ts"
import type { Matched } from "./match.ts"

export function requireCommitment({ payment, opening, target }: Matched, resource: string): void {
  if (opening === null) return
  const offerRef = committedOffer(payment.offer.ref, payment.accepted.extra?.quote)
  const nonce = commitmentNonce(opening, { offerRef, resource, grant: target?.grantId })
  if (nonce !== payment.transfer.nonce) throw new Refusal("commitment_mismatch")
}
