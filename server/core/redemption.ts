/** Defines a redemption: one signed payment, claimed once, from its acceptance to its settlement. */

import type { SettlementState } from "../../shared/oauth/messages.ts"
import type { SignedTransfer } from "../../shared/schemes/scheme.ts"
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { TopUp } from "./top-up.ts"

export const redemptionStates = [
  /** Claimed; waits for a transaction, or for the next attempt. */
  "accepted",
  /** In a stored transaction that may be in a mempool or a block. */
  "sent",
  /** The promised Transfer is in a block, not yet deep enough. */
  "mined",
  /** Refused in two distinct blocks, and still valid: sent again when it goes through. Its value counts as lost. */
  "suspended",
  /** The Transfer is deep enough to count; its block is watched until it is final. */
  "paid",
  /** Paid, in a block that the chain calls final. */
  "final",
  /** Proven to be unpaid. */
  "failed",
  /** Tried too often without evidence; only an operator tries it again. */
  "dead",
  /** Of a whitelisted caller; never settled. */
  "free",
] as const
export type RedemptionState = (typeof redemptionStates)[number]

/** Without a verdict: the money may still come. */
export const unsettledStates = [
  "accepted",
  "sent",
  "mined",
  "suspended",
  "dead",
] as const satisfies RedemptionState[]
/** Waits for settlement, or rides in a transaction not yet mined. */
const queuedStates = ["accepted", "sent"] as const satisfies RedemptionState[]
/** The money is in. */
const settledStates = ["paid", "final"] as const satisfies RedemptionState[]
/** Nothing is taken from the payer: it never will be, or never had to be. */
export const voidStates = ["failed", "free"] as const satisfies RedemptionState[]

const isIn =
  (states: readonly RedemptionState[]) =>
  (state: RedemptionState): boolean =>
    states.includes(state)

export const isUnsettled = isIn(unsettledStates)
/** Its value may still be lost: it counts as exposure. The value of a suspended payment counts as lost already. */
export const isExposed = (state: RedemptionState): boolean => isUnsettled(state) && state !== "suspended"
export const isQueued = isIn(queuedStates)
export const isSettled = isIn(settledStates)

/** `background`: the token comes at once, the money later. `first`: no token before the money is in. */
export type SettlePolicy = "background" | "first"

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
  /** The once-only key: scheme, chain, asset, payer, nonce. */
  readonly key: string
  readonly grantId: string
  readonly network: string
  readonly scheme: string
  readonly asset: Address
  /** Signature is `0x` for a `free` redemption: it is never stored. */
  readonly transfer: SignedTransfer
  /** The value in millionths of the asset's nominal currency. */
  readonly nominal: bigint
  /** Decided when it was accepted. */
  readonly policy: SettlePolicy
  /** Hash of the payer's code at the sale; null for a plain account. */
  readonly payerCode: Hex | null
  readonly state: RedemptionState
  /** Block of the read that accepted it: nothing about the nonce can be older. */
  readonly fromBlock: bigint
  readonly acceptedAt: number
  /** When the worker looks at it next; null when it never has to. */
  readonly dueAt: number | null
  /** Tries that led nowhere. */
  readonly attempts: number
  /** The relayer's transaction it rides in, while `sent`, `suspended` or `mined` by our own hand. */
  readonly transactionId: number | null
  readonly evidence: Evidence | null
  /**
   * Why it failed, also when its money came all the same. Of a suspended payment: the reason of the asset's refusal;
   * null when no simulation had a result.
   */
  readonly failure: FailureReason | null
  /** Why the last try led nowhere, in words for the operator; null before the first. */
  readonly lastError: string | null
  /** Its top-up of an existing grant; null when it opened one. */
  readonly topUp: TopUp | null
}

/** A finding of the worker about a redemption. */
export type Move =
  | { readonly to: "mined"; readonly evidence: Evidence }
  | { readonly to: "paid"; readonly evidence: Evidence }
  /** Its block is final: never looked at again. */
  | { readonly to: "final" }
  /** `dueAt`: when to look again for money that came all the same; null when the failure is final. */
  | { readonly to: "failed"; readonly failure: FailureReason; readonly dueAt: number | null }
  /** Refused in two distinct blocks; `dueAt`: when to look again. */
  | {
      readonly to: "suspended"
      readonly failure: FailureReason | null
      readonly dueAt: number
      readonly error?: string
    }
  /** Out of its transaction, to be tried again. */
  | { readonly to: "accepted"; readonly dueAt: number; readonly error?: string }
  /** A reorg took the block away; the transaction's bytes are sent again. */
  | { readonly to: "sent" }
  /** Given up until an operator says otherwise. */
  | { readonly to: "dead"; readonly error?: string }

/** The ledger's entry on a move. */
export type MoveEntry = "settled" | "failed" | "suspended" | "reopened" | "dead" | "retried"

export type MoveEffect = {
  readonly redemption: Redemption
  readonly entry: MoveEntry | null
  /** The grant of a failed payment ends; the gate refuses its tokens. */
  readonly endsGrant: boolean
}

const allowed: Record<RedemptionState, readonly Move["to"][]> = {
  accepted: ["accepted", "mined", "paid", "suspended", "failed", "dead"],
  sent: ["accepted", "mined", "paid", "suspended", "failed", "sent", "dead"],
  mined: ["paid", "sent", "accepted", "mined", "failed"],
  // Taken back by a reorg, a payment goes the whole way again.
  paid: ["final", "mined", "sent", "accepted"],
  // Suspended until the money is in for good, also while it rides in a transaction.
  suspended: ["suspended", "paid", "failed"],
  final: [],
  // Only money that arrives after all undoes a failure.
  failed: ["paid", "failed"],
  dead: [],
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
      return effect(
        { ...redemption, state: "mined", evidence: move.evidence, dueAt: null },
        // In another block: the ledger reopens the payment until that block is deep enough.
        redemption.state === "paid" ? "reopened" : null,
      )
    case "paid":
      return effect(
        {
          ...redemption,
          state: "paid",
          evidence: move.evidence,
          dueAt: null,
          // A payment that failed is never sent again, not even after a reorg removes the money that came all the same.
          failure: redemption.state === "suspended" ? null : redemption.failure,
        },
        "settled",
      )
    case "final":
      return effect({ ...redemption, state: "final" }, null)
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
    case "suspended": {
      const isNews = redemption.state !== "suspended"
      return effect(
        {
          ...redemption,
          state: "suspended",
          failure: move.failure,
          dueAt: move.dueAt,
          // Counts transactions that did not pay, and no looks.
          attempts: isNews ? 0 : redemption.attempts + (isRiding(redemption) ? 1 : 0),
          lastError: move.error ?? redemption.lastError,
          transactionId: null,
        },
        isNews ? "suspended" : null,
      )
    }
    case "accepted":
      return effect(
        {
          ...redemption,
          state: "accepted",
          dueAt: move.dueAt,
          attempts: redemption.attempts + 1,
          lastError: move.error ?? redemption.lastError,
          evidence: null,
          transactionId: null,
        },
        redemption.evidence ? "reopened" : null,
      )
    case "sent":
      return effect({ ...redemption, state: "sent", evidence: null }, redemption.evidence ? "reopened" : null)
    case "dead":
      return effect(
        {
          ...redemption,
          state: "dead",
          dueAt: null,
          attempts: redemption.attempts + 1,
          lastError: move.error ?? redemption.lastError,
          evidence: null,
          transactionId: null,
        },
        "dead",
      )
  }
}

type Ridden = Pick<Redemption, "state" | "transactionId">

/** Depends on a transaction that is not known to be mined. */
export const isRiding = ({ state, transactionId }: Ridden): boolean =>
  state === "sent" || (state === "suspended" && transactionId !== null)

/** The row in a stored transaction. Throws for a row that must not be sent, or not once more. */
export function ride(redemption: Redemption, transactionId: number): Redemption {
  const { state } = redemption
  const isWaiting = state === "accepted" || (state === "suspended" && !isRiding(redemption))
  if (!isWaiting) throw new Error(`a redemption in state ${state} cannot be sent`)
  return { ...redemption, state: state === "suspended" ? state : "sent", dueAt: null, transactionId }
}

/** Lets a dead redemption be tried again at once, as if for the first time. Null for any other state. */
export const retryDead = (redemption: Redemption): MoveEffect | null =>
  redemption.state === "dead"
    ? effect({ ...redemption, state: "accepted", dueAt: 0, attempts: 0 }, "retried")
    : null

const effect = (redemption: Redemption, entry: MoveEntry | null, endsGrant = false): MoveEffect => ({
  redemption,
  entry,
  endsGrant,
})

/** Returns the public state of settlement of a redemption. */
export function settlementState(state: RedemptionState): SettlementState {
  if (isSettled(state)) return "settled"
  if (state === "failed" || state === "suspended") return state
  return state === "free" ? "none" : "pending"
}
