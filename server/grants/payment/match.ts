/** Matches a payment with an offer, with the route it came by, and with the grant that a top-up names. */
import { Refusal } from "../../../shared/refusals.ts"
import { isClaimOpen } from "../../core/claim.ts"
import { explainByClock } from "../../core/clock-skew.ts"
import { opens } from "../../core/offers.ts"
import { matchPayment, type Payment, requireWindow } from "../../core/payment.ts"
import type { TokenDeps, TokenRequest } from "../grant-type.ts"
import type { Located } from "./locate.ts"
import { readTarget, type Target } from "./top-up.ts"

export type Matched = Located & {
  readonly payment: Payment
  /** Undefined for a payment that opens a grant. */
  readonly target: Target | undefined
}

/**
 * Whether the request shows the secret of the nonce. Its payment may be on the chain already, and what only a sale needs
 * is checked once the chain says that it is not.
 */
export const showsSecret = ({ proof }: Located): boolean => proof.opening !== null

export function match(
  located: Located,
  request: TokenRequest,
  deps: Pick<TokenDeps, "board" | "now" | "keys" | "clockSkew">,
): Matched {
  const payment = explained(deps, () => matchPayment(located.payment, deps.board))
  const { offer } = payment
  if (!showsSecret(located) || !isClaimOpen(payment.transfer, deps.now())) requireSaleTime(payment, deps)
  if (request.gatedRoute && !opens(offer, request.gatedRoute)) throw new Refusal("offer_elsewhere")
  if (offer.dpop === "required" && request.keyThumbprint === null) throw new Refusal("dpop_required")
  return { ...located, payment, target: readTarget(request, deps) }
}

/** Throws a Refusal unless the window of the payment leaves time to settle it. */
export const requireSaleTime = (payment: Payment, deps: Pick<TokenDeps, "now" | "clockSkew">): void =>
  explained(deps, () => requireWindow(payment, deps.now()))

function explained<T>({ clockSkew }: Pick<TokenDeps, "clockSkew">, check: () => T): T {
  try {
    return check()
  } catch (error) {
    throw explainByClock(error, clockSkew())
  }
}
