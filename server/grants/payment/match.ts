/** Matches a payment with an offer, with the route it came by, and with the grant that a top-up names. */
import { Refusal } from "../../../shared/refusals.ts"
import { explainByClock } from "../../core/clock-skew.ts"
import { opens } from "../../core/offers.ts"
import { matchPayment, type Payment } from "../../core/payment.ts"
import type { TokenDeps, TokenRequest } from "../grant-type.ts"
import type { Located } from "./locate.ts"
import { readTarget, type Target } from "./top-up.ts"

export type Matched = Located & {
  readonly payment: Payment
  /** Undefined for a payment that opens a grant. */
  readonly target: Target | undefined
}

export function match(
  located: Located,
  request: TokenRequest,
  deps: Pick<TokenDeps, "board" | "now" | "keys" | "clockSkew">,
): Matched {
  const payment = matchOffer(located, deps)
  const { offer } = payment
  if (request.gatedRoute && !opens(offer, request.gatedRoute)) throw new Refusal("offer_elsewhere")
  if (offer.dpop === "required" && request.keyThumbprint === null) throw new Refusal("dpop_required")
  return { ...located, payment, target: readTarget(request, deps) }
}

function matchOffer(
  { payment }: Located,
  { board, now, clockSkew }: Pick<TokenDeps, "board" | "now" | "clockSkew">,
): Payment {
  try {
    return matchPayment(payment, board, now())
  } catch (error) {
    throw explainByClock(error, clockSkew())
  }
}
