/** Finds the earlier redemption of a payment, and checks that the sender of a repetition is its owner. */
import { Refusal } from "../../../shared/refusals.ts"
import { isClaimOpen, isUnclaimed } from "../../core/claim.ts"
import { isOf, provesOwner } from "../../core/grant.ts"
import type { Payment } from "../../core/payment.ts"
import type { Redeemed } from "../../ports/records.ts"
import type { TokenDeps } from "../grant-type.ts"
import type { Located } from "./locate.ts"

export type Repeated = { readonly kind: "repeated" } & Redeemed

/** Precedes the checks of offer and window: a retry may come when the offer is gone or the payment nearly expired. */
export async function recall(
  key: string,
  { store }: Pick<TokenDeps, "store">,
): Promise<Repeated | undefined> {
  const known = await store.recall({ key })
  return known ? { kind: "repeated", ...known } : undefined
}

/**
 * Whether the payment was imported and may still be claimed. A request with the commitment alone is asked for the secret
 * later.
 */
export const mayClaim = (
  repeated: Repeated,
  { payment, opening }: Located,
  { now }: Pick<TokenDeps, "now">,
): boolean => opening !== null && isUnclaimed(repeated) && isClaimOpen(payment.transfer, now())

/** A payment that was redeemed before is answered to its owner. Nobody else learns anything. */
export function requireOwner(
  { grant, redemption }: Redeemed,
  { payment, proof }: Located,
  deps: Pick<TokenDeps, "now" | "whitelist">,
  resources: readonly string[],
): void {
  // An imported row has neither window nor owner. Anybody may learn that it buys nothing again.
  if (grant.ended?.reason === "lost") throw new Refusal("grant_lost")
  const same = isSameTransfer(redemption.transfer, payment.transfer)
  // A top-up has a secret of its own: the secret of another payment does not prove this one.
  const { topUp } = redemption
  const bought = topUp ? { ...grant, opening: topUp.opening, idempotencyHash: null } : grant
  if (!same || !isOf(grant, { resources }) || !provesOwner(bought, proof, deps.now()))
    throw new Refusal("authorization_conflict")
  const isDelisted = !grant.paid && !deps.whitelist.find(grant.subject, grant.startsAt)
  if (isDelisted) throw new Refusal("access_denied")
}

/**
 * Compares every field but the signature: a free redemption stores none, and the other fields are the signed content.
 */
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
