/** The buyer, as a request shows him: what his grant commits to, and by what a payment seen before is proven to be his. */

import { Refusal } from "../../../shared/refusals.ts"
import type { Hex } from "../../../shared/values/evm.ts"
import {
  type CommitmentTerms,
  commitmentNonce,
  committedOffer,
  openingOf,
} from "../../../shared/x402/commitment.ts"
import { sha256Hex } from "../../access/credentials.ts"
import { type Grant, provesOwner } from "../../core/grant.ts"
import type { LocatedPayment, Payment } from "../../core/payment.ts"
import type { Redeemed } from "../../ports/records.ts"
import type { TokenDeps, TokenRequest } from "../grant-type.ts"

/** What a request shows of the buyer. */
type Presented = {
  /** What a new grant commits to: sha256 of the secret. */
  readonly opening: Hex | null
  /** What proves that a payment seen before is the sender's. The commitment does not: the first request carried it. */
  readonly proof: Pick<Grant, "opening" | "idempotencyHash" | "keyThumbprint">
}

export function readPresented(request: TokenRequest, payment: LocatedPayment): Presented {
  const key = request.idempotencyKey ?? payment.identifier
  if (key !== undefined && (key.length < 22 || key.length > 255))
    throw new Refusal("malformed", "Wanted an idempotency key of 22 to 255 characters.")
  const opened = request.secret === undefined ? null : openingOf(request.secret)
  if (opened !== null && request.commitment !== undefined && opened !== request.commitment)
    throw new Refusal("commitment_mismatch", "The secret does not open the commitment.")
  return {
    opening: opened ?? request.commitment ?? null,
    proof: {
      opening: opened,
      idempotencyHash: key === undefined ? null : sha256Hex(key),
      keyThumbprint: request.keyThumbprint,
    },
  }
}

/** A payment whose key was claimed before is answered to its owner, and nobody else learns anything. */
export function checkOwner(
  { grant, redemption }: Redeemed,
  payment: LocatedPayment,
  proof: Presented["proof"],
  deps: Pick<TokenDeps, "now" | "whitelist">,
): void {
  // Taken in from the chain, which tells neither window nor owner; that it buys nothing again may be told to anybody.
  if (grant.ended?.reason === "lost") throw new Refusal("grant_lost")
  const same = isSameTransfer(redemption.transfer, payment.transfer)
  // A further payment has a secret of its own: whoever has that of another has not paid this one.
  const { topUp } = redemption
  const bought = topUp ? { ...grant, opening: topUp.opening, idempotencyHash: null } : grant
  if (!same || !provesOwner(bought, proof, deps.now())) throw new Refusal("authorization_conflict")
  const isDelisted = !grant.paid && !deps.whitelist.find(grant.subject, grant.startsAt)
  if (isDelisted) throw new Refusal("access_denied")
}

/** Everything but the signature: a free redemption stores none, and the key and terms already say what was signed. */
function isSameTransfer(a: Payment["transfer"], b: Payment["transfer"]): boolean {
  return (
    a.payer === b.payer &&
    a.payTo === b.payTo &&
    a.value === b.value &&
    a.validAfter === b.validAfter &&
    a.validBefore === b.validBefore &&
    a.nonce === b.nonce
  )
}

export function checkCommitment(
  payment: Payment,
  opening: Hex | null,
  to: Omit<CommitmentTerms, "offerRef">,
): void {
  if (opening === null) return
  const offerRef = committedOffer(payment.offer.ref, payment.accepted.extra?.quote)
  const nonce = commitmentNonce(opening, { offerRef, ...to })
  if (nonce !== payment.transfer.nonce) throw new Refusal("commitment_mismatch")
}
