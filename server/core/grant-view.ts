/** Shows a grant and its settlement as in token responses and statuses. */
import type { SettlementState, TokenResponse } from "../../shared/oauth/messages.ts"
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { Grant } from "./grant.ts"
import { type Redemption, settlementState } from "./redemption.ts"
import { remaining } from "./units.ts"

/** The state of settlement that a buyer sees. */
export type SettlementView = {
  readonly state: SettlementState
  readonly network?: string
  readonly payer?: Address
  /** Present once the money is in. */
  readonly transaction?: Hex
}

export function settlementView(redemption: Redemption | null): SettlementView {
  if (!redemption || redemption.state === "free") return { state: "none" }
  const state = settlementState(redemption.state)
  const transaction = state === "settled" ? redemption.evidence?.transactionHash : undefined
  return {
    state,
    network: redemption.network,
    payer: redemption.transfer.payer,
    ...(transaction !== undefined && { transaction }),
  }
}

/** `grant` of a token response, and of a status. */
export const grantBody = (grant: Grant, view: SettlementView) => ({
  id: grant.id,
  expires_at: grant.expiresAt,
  calls_remaining: grant.meter && remaining(grant.meter),
  settlement: settlementBody(view),
})

export const settlementBody = ({
  state,
  network,
  transaction,
}: SettlementView): TokenResponse["grant"]["settlement"] => ({
  state,
  ...(network !== undefined && { network }),
  ...(transaction !== undefined && { transaction }),
})
