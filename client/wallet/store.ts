/** The client's port: what must outlive a call, and may outlive the process and be shared with other processes. */

import type { SettlementState } from "../../shared/oauth/messages.ts"
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { Counted, Limits, Spending, SpendingRefusal } from "../core/budget-rules.ts"
import type { ProofKey } from "../wire/dpop.ts"

/**
 * Each method is one transaction. All clients of a store share one purse: its budget, whoever of them pays, and, among
 * those of one account, its grants and payments. Instants are in seconds, money in millionths of the currency.
 */
export type ClientStore = {
  /** Whether what is kept is written down, so that the keys of proofs must be of a form that can be. */
  readonly writesDown: boolean

  /**
   * Takes the exclusive right to do what `claim` names, or extends it; false while another holds it. What a former holder
   * had reserved and not kept is void from then on: {@link ClientStore.keep} refuses him.
   */
  claim(claim: Claim, now: number): Promise<boolean>
  unclaim(claim: Pick<Claim, "name" | "holder">): Promise<void>

  /** Books the spending of somebody who holds the claim, if all limits and the known recipients allow it. */
  reserve(spending: Spending, limits: Limits, now: number): Promise<Reserved>
  /** Nothing was signed after all. */
  cancel(reservation: string): Promise<void>
  /**
   * The service said no, or that it lets us in free: the spending counts no longer than until `countsUntil`. No more than
   * `most` a day is given back so, because only the service's word says that no money moved. All-time limits go on
   * counting it.
   */
  giveBack(reservation: string, terms: GiveBack): Promise<void>
  /** What counts now against the limits of an offer. */
  counted(of: { readonly origin: string; readonly offer: string }, now: number): Promise<Counted>
  /** Takes an address as one that payments to this origin may go to. */
  approveRecipient(origin: string, payTo: Address): Promise<void>

  /** Writes a signed payment down, before it is sent; false when its maker's claim is another's by now. */
  keep(payment: Payment): Promise<boolean>
  /** The payment of this account for this resource whose outcome is not known yet. */
  unanswered(account: Address, resource: string): Promise<Payment | undefined>
  drop(payment: Payment): Promise<void>

  /** Adds a grant, in front; what paid for it is answered with that. */
  add(grant: Grant, payment?: Payment): Promise<void>
  /** All grants of the account, most recently used first. */
  grants(account: Address): Promise<readonly Grant[]>
  change(grant: Grant, state: Partial<GrantState>): Promise<void>
  /** To the front: the next request to this resource starts with it. */
  prefer(grant: Grant): Promise<void>
  forget(grant: Grant): Promise<void>
}

export type Claim = { readonly name: string; readonly holder: string; readonly until: number }

export type Reserved = { readonly kind: "reserved" } | { readonly kind: "claim_lost" } | SpendingRefusal

export type GiveBack = { readonly countsUntil: number; readonly most: bigint; readonly now: number }

/** A signed payment. */
export type Payment = {
  readonly account: Address
  /** The audience, as an href; of a single call its method and URL. */
  readonly resource: string
  readonly network: string
  readonly scope: string
  readonly tokenEndpoint: string
  readonly secret: Hex
  readonly opening: Hex
  /** The x402 payload as this header carries it. */
  readonly headerName: string
  readonly header: string
  /** Id of the grant that it adds to; undefined where it buys one. */
  readonly grant: string | undefined
  /** After it the chain refuses the transfer. */
  readonly validBefore: number
  readonly reservation: string
  readonly proofKey: ProofKey | undefined
  /** Who signed it, or carries it now. */
  readonly claim: Pick<Claim, "name" | "holder">
  /** How often it was sent, or may have been. */
  readonly sends: number
  /** An answer was lost, so the service may have taken it. */
  readonly uncertain: boolean
}

export type Grant = {
  readonly id: string
  readonly account: Address
  /** The audience, as an href; its origin is the only one that ever sees the token (CLI-12). */
  readonly resource: string
  /** CAIP-2; empty where nothing was bought. */
  readonly network: string
  readonly tokenEndpoint: string
  /** Proves, at a repeated refresh, that the grant is ours; absent where nothing was bought. */
  readonly secret: Hex | undefined
  /** What its tokens are bound to; absent for bearer tokens. */
  readonly proofKey: ProofKey | undefined
} & GrantState

/** What changes with every answer. */
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
}

/** What tells a grant from all others: its id is a seller's word, and sellers may choose the same. */
export const keyOf = ({ account, resource, id }: Pick<Grant, "account" | "resource" | "id">): string =>
  JSON.stringify([account, resource, id])
