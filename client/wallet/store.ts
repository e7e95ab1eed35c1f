/** The client's port: the records that outlive a call, and may outlive the process and be shared with others. */
import type { SettlementState } from "../../shared/oauth/messages.ts"
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { Counted, Limits, Spending, SpendingRefusal } from "../core/budget-rules.ts"
import type { ProofKey } from "../wire/dpop.ts"

/**
 * Each method is one transaction. All clients of a store share its budget, whichever account pays; clients of one account
 * share grants and payments too. Instants are in seconds, money in millionths of the currency.
 */
export type ClientStore = {
  /** Whether records outlive the process: then the keys of proofs must be exportable. */
  readonly isDurable: boolean

  /**
   * Takes or extends a lock; false while another holder has it. Voids the spendings that a former holder reserved and did
   * not keep, and {@link ClientStore.keep} refuses that holder.
   */
  lock(lock: Lock, now: number): Promise<boolean>
  unlock(lock: LockHolder): Promise<void>

  /** Reserves a spending for the holder of its lock, if all limits and the known recipients allow it. */
  reserve(spending: Spending, limits: Limits, now: number): Promise<Reserved>
  /** Removes a reservation for which nothing was signed. */
  cancel(reservation: string): Promise<void>
  /**
   * Ends the counting of a spending at `countsUntil`, after the service refused the payment or asked for none. Returns at
   * most `most` a day this way, because only the service's word says that no money moved. All-time limits keep counting it.
   */
  giveBack(reservation: string, terms: GiveBack): Promise<void>
  /** Adds up what counts now against the limits of an offer. */
  sumSpending(of: { readonly origin: string; readonly offer: string }, now: number): Promise<Counted>
  /** Forgets the refusals of the origin. */
  clearRefusals(origin: string): Promise<void>
  /** Allows payments to this origin to go to this address. */
  approveRecipient(origin: string, payTo: Address): Promise<void>

  /** Writes a signed payment down before it is sent; false when its holder has lost the lock. */
  keep(payment: Payment): Promise<boolean>
  /** The payment of this account for this resource whose outcome is unknown. */
  findUnanswered(account: Address, resource: string): Promise<Payment | undefined>
  drop(payment: Payment): Promise<void>
  /** Drops a payment that never left this machine, and its spending. */
  undo(payment: Payment): Promise<void>

  /** Adds a grant as the most recently used one, and drops the payment that bought it. */
  add(grant: Grant, payment?: Payment): Promise<void>
  /** All grants of the account, most recently used first. */
  listGrants(account: Address): Promise<readonly Grant[]>
  change(grant: Grant, state: Partial<GrantState>): Promise<void>
  /** Records that a call with the grant's token succeeded, and clears the refusals of the origin. */
  recordAccess(origin: string, at: number, grant?: Grant): Promise<void>
  /**
   * Records that a payment at the origin gave no access: once for a grant, and never for one that opened a route. Refusals
   * of the last hour are part of {@link ClientStore.sumSpending}.
   */
  recordRefusal(origin: string, at: number, grant?: Grant): Promise<void>
  /** Makes the grant the most recently used one. */
  prefer(grant: Grant): Promise<void>
  forget(grant: Grant): Promise<void>
}

/** One holder at a time does the work that `name` names. */
export type Lock = { readonly name: string; readonly holder: string; readonly until: number }
export type LockHolder = Pick<Lock, "name" | "holder">

export type Reserved = { readonly kind: "reserved" } | { readonly kind: "lock_lost" } | SpendingRefusal

export type GiveBack = { readonly countsUntil: number; readonly most: bigint; readonly now: number }

/** A signed payment. */
export type Payment = {
  readonly account: Address
  /** The audience as an href; for a single call its method and URL. */
  readonly resource: string
  readonly network: string
  readonly scope: string
  readonly tokenEndpoint: string
  readonly secret: Hex
  readonly opening: Hex
  /** The header that carries the x402 payload. */
  readonly headerName: string
  readonly header: string
  /** Id of the grant that it tops up; undefined where it buys one. */
  readonly grant: string | undefined
  /** The chain refuses the transfer after this instant. */
  readonly validBefore: number
  readonly reservation: string
  readonly proofKey: ProofKey | undefined
  /** The holder that signed it, or sends it now. */
  readonly lock: LockHolder
  /** How often it was sent, or may have been. */
  readonly sends: number
  /** An answer was lost, so the service may have taken it. */
  readonly uncertain: boolean
}

export type Grant = {
  readonly id: string
  readonly account: Address
  /** The audience as an href. No other origin ever receives the token (CLI-12). */
  readonly resource: string
  /** CAIP-2; empty where nothing was bought. */
  readonly network: string
  readonly tokenEndpoint: string
  /** Proves at a repeated refresh that the grant is ours; absent where nothing was bought. */
  readonly secret: Hex | undefined
  /** The key that its tokens are bound to; absent for bearer tokens. */
  readonly proofKey: ProofKey | undefined
} & GrantState

/** The part that changes. */
export type GrantState = {
  readonly scope: string
  readonly accessToken: string
  readonly tokenIssuedAt: number
  readonly tokenExpiresAt: number
  readonly refreshToken: string | undefined
  /** How often the present refresh token was sent; from the second time on the secret goes with it. */
  readonly refreshSends: number
  readonly expiresAt: number
  readonly callsRemaining: number | null
  readonly settlement: SettlementState
  /** When a call with one of its tokens first succeeded. */
  readonly openedAt?: number
  /** When the gate first refused a fresh token of it. */
  readonly refusedAt?: number
}

/** Identifies a grant. Sellers choose its id, and two sellers may choose the same, so the id alone does not. */
export const keyOf = ({ account, resource, id }: Pick<Grant, "account" | "resource" | "id">): string =>
  JSON.stringify([account, resource, id])

/** Whether a refusal of the grant is to be recorded: only the first one, and only if no call succeeded before. */
export const isFirstRefusal = (held: Grant | undefined): boolean =>
  held !== undefined && held.openedAt === undefined && held.refusedAt === undefined
