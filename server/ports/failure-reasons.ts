/** Maps every error of the process to one row of the table in shared/refusals.ts. */
import { type Reason, Refusal } from "../../shared/refusals.ts"
import { ChainMismatch, ChainUnavailable, Unwitnessed } from "./chain.ts"
import { SignerUnavailable } from "./keys.ts"
import { Overloaded } from "./runtime.ts"
import { StoreUnavailable } from "./store.ts"

export function reasonOf(error: unknown): Reason {
  if (error instanceof Refusal) return error.reason
  if (error instanceof Overloaded) return "verification_busy"
  if (error instanceof StoreUnavailable) return "store_unavailable"
  if (error instanceof SignerUnavailable) return "signer_unavailable"
  if (error instanceof ChainUnavailable || error instanceof ChainMismatch || error instanceof Unwitnessed)
    return "chain_unavailable"
  return "internal"
}
