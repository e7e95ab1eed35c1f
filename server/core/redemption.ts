/** A redemption: one signed payment, claimed once, on its way from acceptance to money (settlement.md, security.md §4.3). */
import type { Address, Hex } from "../../shared/evm.ts"
import type { SettlementState } from "../../shared/oauth.ts"
import type { SignedTransfer } from "../../shared/scheme.ts"

/**
 * - `accepted`  claimed; waits for a transaction (or for its next try)
 * - `sent`      in a stored transaction that may be in a mempool or a block
 * - `mined`     the promised Transfer is in a block, not yet deep enough
 * - `paid`      the Transfer is deep enough
 * - `failed`    proven not to be paid
 * - `free`      a whitelisted caller's: never settled
 */
export type RedemptionState = "accepted" | "sent" | "mined" | "paid" | "failed" | "free"

export type FailureReason =
  | "cancelled"
  | "diverted"
  | "short"
  | "insufficient_funds"
  | "expired"
  | "contract_payer"
  | "refused_by_asset"

/** Where on the chain the promised Transfer is. */
export type Evidence = {
  readonly transactionHash: Hex
  readonly logIndex: number
  readonly blockNumber: bigint
  readonly blockHash: Hex
}

export type Redemption = {
  /** The once-only key: scheme, chain, asset, payer, nonce (wire.md §4). */
  readonly key: string
  readonly grantId: string
  readonly network: string
  readonly scheme: string
  readonly asset: Address
  /** Signature is `0x` for a `free` redemption: it is never stored. */
  readonly transfer: SignedTransfer
  /** The value in millionths of the asset's nominal currency. */
  readonly nominal: bigint
  readonly state: RedemptionState
  /** Block of the read that accepted it: nothing about the nonce can be older. */
  readonly fromBlock: bigint
  readonly acceptedAt: number
  /** When the worker looks at it next; null when it never has to. */
  readonly dueAt: number | null
  /** Tries that led nowhere. */
  readonly attempts: number
  /** The relayer's transaction it rides in, while `sent` or `mined` by our own hand. */
  readonly transactionId: number | null
  readonly evidence: Evidence | null
  readonly failure: FailureReason | null
}

/** What the worker found out about a redemption. */
export type Move =
  | { readonly to: "mined"; readonly evidence: Evidence }
  | { readonly to: "paid"; readonly evidence: Evidence }
  /** `dueAt`: when to look again for money that came all the same; null when the failure is final. */
  | { readonly to: "failed"; readonly failure: FailureReason; readonly dueAt: number | null }
  /** Out of its transaction, to be tried again. */
  | { readonly to: "accepted"; readonly dueAt: number }
  /** A reorg took the block away; the transaction's bytes are sent again. */
  | { readonly to: "sent" }

export type LedgerKind =
  | "redeemed"
  | "settled"
  | "failed"
  | "reopened"
  | "ended"
  /** A grant without a payment. */
  | "admitted"
  | "whitelist_added"
  | "whitelist_removed"

export type MoveEffect = {
  readonly redemption: Redemption
  readonly entry: LedgerKind | null
  /** The grant of a failed payment ends; the gate refuses its tokens. */
  readonly endsGrant: boolean
}

const allowed: Record<RedemptionState, readonly Move["to"][]> = {
  accepted: ["accepted", "mined", "paid", "failed"],
  sent: ["accepted", "mined", "paid", "failed", "sent"],
  mined: ["paid", "sent", "accepted", "mined", "failed"],
  paid: [],
  // Only money that arrives after all undoes a failure; the grant stays ended.
  failed: ["paid", "failed"],
  free: [],
}

class IllegalMove extends Error {
  constructor(from: RedemptionState, to: Move["to"]) {
    super(`a redemption cannot go from ${from} to ${to}`)
    this.name = "IllegalMove"
  }
}

/** The row after the move, and what else changes with it in the same transaction. */
export function applyMove(redemption: Redemption, move: Move): MoveEffect {
  if (!allowed[redemption.state].includes(move.to)) throw new IllegalMove(redemption.state, move.to)
  switch (move.to) {
    case "mined":
      return effect({ ...redemption, state: "mined", evidence: move.evidence, dueAt: null }, null)
    case "paid":
      return effect(
        { ...redemption, state: "paid", evidence: move.evidence, dueAt: null, failure: null },
        "settled",
      )
    case "failed":
      return effect(
        {
          ...redemption,
          state: "failed",
          failure: move.failure,
          dueAt: move.dueAt,
          evidence: null,
          transactionId: null,
        },
        redemption.state === "failed" ? null : "failed",
        redemption.state !== "failed",
      )
    case "accepted":
      return effect(
        {
          ...redemption,
          state: "accepted",
          dueAt: move.dueAt,
          attempts: redemption.attempts + 1,
          evidence: null,
          transactionId: null,
        },
        redemption.state === "mined" ? "reopened" : null,
      )
    case "sent":
      return effect(
        { ...redemption, state: "sent", evidence: null },
        redemption.state === "mined" ? "reopened" : null,
      )
  }
}

const effect = (redemption: Redemption, entry: LedgerKind | null, endsGrant = false): MoveEffect => ({
  redemption,
  entry,
  endsGrant,
})

/** What the outside is told of a redemption's state. */
export function settlementState(state: RedemptionState): SettlementState {
  if (state === "paid") return "settled"
  if (state === "failed") return "failed"
  return state === "free" ? "none" : "pending"
}

/** Whether its value may still be lost or missed: it counts as exposure. */
export const isUnsettled = (state: RedemptionState): boolean =>
  state === "accepted" || state === "sent" || state === "mined"
