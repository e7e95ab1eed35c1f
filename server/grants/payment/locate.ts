/** Reads the payment of a request and the buyer's proofs, without judging either. */
import { Refusal } from "../../../shared/refusals.ts"
import type { Hex } from "../../../shared/values/evm.ts"
import { openingOf } from "../../../shared/x402/commitment.ts"
import { sha256Hex } from "../../access/credentials.ts"
import type { Grant } from "../../core/grant.ts"
import { type LocatedPayment, locatePayment } from "../../core/payment.ts"
import type { TokenRequest } from "../grant-type.ts"

export type Located = {
  readonly payment: LocatedPayment
  /** SHA-256 of the buyer's secret, to which a new grant commits. */
  readonly opening: Hex | null
  /** Proves that a payment seen before is the sender's. The commitment does not: the first request carried it in the open. */
  readonly proof: Pick<Grant, "opening" | "idempotencyHash" | "keyThumbprint">
}

export function locate(request: TokenRequest): Located {
  const payment = locatePayment(request.parameters.get("payment"))
  const key = request.idempotencyKey ?? payment.identifier
  if (key !== undefined && (key.length < 22 || key.length > 255))
    throw new Refusal("malformed", "Wanted an idempotency key of 22 to 255 characters.")
  const opened = request.secret === undefined ? null : openingOf(request.secret)
  if (opened !== null && request.commitment !== undefined && opened !== request.commitment)
    throw new Refusal("commitment_mismatch", "The secret does not open the commitment.")
  return {
    payment,
    opening: opened ?? request.commitment ?? null,
    proof: {
      opening: opened,
      idempotencyHash: key === undefined ? null : sha256Hex(key),
      keyThumbprint: request.keyThumbprint,
    },
  }
}
