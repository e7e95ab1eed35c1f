/** Defines the inputs and results of the store. */

import type { Revocation } from "../../shared/oauth/revocation.ts"
import type { Reason } from "../../shared/refusals.ts"
import type { SignedTransfer } from "../../shared/schemes/scheme.ts"
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { TopUpRequest } from "../core/credit.ts"
import type { ExposureLimits, LimitName } from "../core/exposure.ts"
import type { Grant, NewGrant, TokenLives } from "../core/grant.ts"
import type { LedgerEntry } from "../core/ledger-facts.ts"
import type { LedgerFilter } from "../core/ledger-filter.ts"
import type { Evidence, Redemption, RedemptionState, SettlePolicy } from "../core/redemption.ts"
import type { TopUp } from "../core/top-up.ts"
import type { WhitelistEntry } from "../core/whitelist.ts"

export type PaymentOrder = {
  readonly key: string
  readonly network: string
  readonly scheme: string
  readonly asset: Address
  readonly transfer: SignedTransfer
  /** In millionths of the asset's nominal currency. */
  readonly nominal: bigint
  /** A limit may turn `background` into `first`; then no token exists before the payment settles. */
  readonly policy: SettlePolicy
  /** The result of the chain read, as of a block. */
  readonly intake: {
    readonly blockNumber: bigint
    readonly balance: bigint
    /** Hash of the payer's code; null for a plain account. */
    readonly payerCode: Hex | null
  }
  /** Usual time between blocks of the network. */
  readonly blockSeconds: number
  readonly limits: ExposureLimits
  readonly now: number
}

/** A payment that opens a grant. */
export type RedeemOrder = PaymentOrder & {
  readonly grant: NewGrant
  /**
   * False for a whitelisted caller: nothing is settled and the signature is not stored. Refused with `access_denied`
   * when the payer is not on the list any more.
   */
  readonly settle: boolean
  /**
   * SHA-256 (hex) of the secret made for a buyer without a proof of ownership; stored only when the buyer has to
   * wait.
   */
  readonly retryHash: string | null
}

/** A payment that the chain had before it came, and the grant for it. */
export type ClaimOrder = Pick<
  RedeemOrder,
  "key" | "network" | "scheme" | "asset" | "transfer" | "nominal" | "grant" | "now"
> & { readonly payerCode: Hex | null; readonly evidence: Evidence }

/** A payment for an existing grant. */
export type TopUpOrder = PaymentOrder & {
  readonly grantId: string
  readonly topUp: Omit<TopUp, "token" | "gave">
  readonly request: TopUpRequest
  /** Id of the token that is issued with it. */
  readonly jti: string
  readonly lives: TokenLives
}

/**
 * Names a grant: by its id (from a token), by the opening of its secret or of a further payment's secret, or by the
 * hash of its idempotency key.
 */
export type GrantHandle =
  | { readonly by: "id" | "idempotencyHash"; readonly value: string }
  | { readonly by: "opening"; readonly value: Hex }

/** The service that the books belong to. */
export type BooksIdentity = {
  readonly issuer: string
  /** Names the ring of keys that its tokens are signed with. */
  readonly ring: string
  readonly payTo: Address
}

/** A redemption with the grant it bought. */
export type Redeemed = { readonly redemption: Redemption; readonly grant: Grant }

export type RedeemOutcome =
  /** `limit`: the limit that made the payment settle first although the order did not ask for that. */
  | ({ readonly kind: "redeemed"; readonly limit: LimitName | null } & Redeemed)
  /** The key was claimed before; nothing changed. */
  | ({ readonly kind: "repeated" } & Redeemed)
  | {
      readonly kind: "refused"
      readonly reason:
        | "insufficient_funds"
        | "queue_full"
        | "contract_payers_paused"
        | "idempotency_conflict"
        | "access_denied"
    }

export type ClaimOutcome =
  | ({ readonly kind: "redeemed" | "repeated" } & Redeemed)
  | { readonly kind: "refused"; readonly reason: "idempotency_conflict" | "authorization_conflict" }

export type TopUpOutcome =
  | Exclude<RedeemOutcome, { readonly kind: "refused" }>
  | { readonly kind: "refused"; readonly reason: Reason }

/** The list as of its last change, named by the sequence of that change's ledger entry; 0 before the first. */
export type WhitelistSnapshot = { readonly version: number; readonly entries: readonly WhitelistEntry[] }

export type UnitsTaken = {
  /** Null when the grant has not so many left, has ended, or counts nothing. */
  readonly slice: { readonly id: number; readonly units: number } | null
  readonly given: number
  /** Units that any gate may still take. */
  readonly left: number
  /** Units in slices of other processes that are not late: they may come back. */
  readonly elsewhere: number
}

/** The target of a revocation. A target that has already ended stays unchanged. */
export type RevocationTarget =
  | { readonly kind: "grant"; readonly grantId: string }
  /** One access token; its grant lives on. */
  | { readonly kind: "token"; readonly grantId: string; readonly jti: string; readonly expiresAt: number }
  /** Every grant of an address, on whatever network, or of a client id, that began before. */
  | { readonly kind: "subject"; readonly id: string; readonly before: number }
  /** Every grant of an offer (its id or reference; null: every grant there is) that began before. */
  | { readonly kind: "rule"; readonly offer: string | null; readonly before: number }

/** The sequence of its ledger entry serves as a cursor. */
export type NumberedRevocation = { readonly sequence: number; readonly revocation: Revocation }

/** How far the books are complete on a network, and how far they have used the nonces of its relayers. */
export type Progress = {
  /** Every payment from block `since` to block `done` is in the books; null before the first look at the chain. */
  readonly blocks: { readonly since: bigint; readonly done: bigint } | null
  /** The nonce that the next transaction of each relayer has. */
  readonly nonces: readonly { readonly relayer: Address; readonly next: number }[]
}

/** Names a Transfer on a network. */
export type TransferId = { readonly transactionHash: Hex; readonly logIndex: number }

/** Bytes of a relayer's transaction under one hash. */
export type SignedBytes = {
  readonly hash: Hex
  readonly raw: Hex
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/** One nonce of the relayer. */
export type RelayTransaction = {
  readonly id: number
  readonly network: string
  readonly relayer: Address
  readonly nonce: number
  /** `signed`: stored, perhaps sent; `broadcast`: a node took it; `done`: its nonce is used up on chain. */
  readonly state: "signed" | "broadcast" | "done"
  /** Of the newest version. */
  readonly to: Address
  readonly data: Hex
  readonly gas: bigint
  /** Oldest first; every hash ever sent for the nonce. */
  readonly versions: readonly SignedBytes[]
  /** Seconds; when the newest version was stored or a reorg brought it back, and when a node last took bytes. */
  readonly storedAt: number
  readonly sentAt: number | null
}

/** A block with payments that are not final yet. */
export type PaidBlock = Pick<Evidence, "blockNumber" | "blockHash">

export type RedemptionHistory = {
  readonly redemption: Redemption
  /** Oldest first. */
  readonly transactions: readonly RelayTransaction[]
  readonly entries: readonly LedgerEntry[]
}

/** The members by which sales are summed. */
export const sumNames = ["offer", "network", "asset", "payer"] as const
export type SumName = (typeof sumNames)[number]

export type SumsRequest = {
  readonly filter: LedgerFilter
  /** Null sums everything of an asset. */
  readonly by: SumName | null
  /** Length of a period in seconds; null for one sum over all time. */
  readonly per: number | null
}

/** Payments of one state, by the time of their sale. */
export type SaleSum = {
  readonly state: RedemptionState
  readonly network: string
  readonly asset: Address
  /** The value of the member that was asked for; null where the sale has none. */
  readonly name: string | null
  /** Start of the period; null for all time. */
  readonly since: number | null
  readonly payments: number
  /** Atomic units. */
  readonly value: bigint
}

export type InFlight = { readonly transaction: RelayTransaction; readonly redemptions: readonly Redemption[] }

/** Payments of one asset in one state, sold by one policy, with the sum of their values in atomic units. */
export type PaymentSum = Pick<Redemption, "network" | "asset" | "state" | "policy"> & {
  readonly payments: number
  readonly value: bigint
}

/** Grants that have begun and not ended, without derived ones; and payers with a settled payment. */
export type Population = {
  readonly paidGrants: number
  readonly freeGrants: number
  readonly payers: number
  /** Of all payers together. */
  readonly settledPayments: number
}
