/** Defines the store port: every verb is one transaction and is durable when it resolves. */
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { Call } from "../core/batch.ts"
import type { DeriveDecision, DeriveRequest, PresentedToken } from "../core/derive.ts"
import type { Standing } from "../core/exposure.ts"
import type {
  Grant,
  IssuedGrant,
  IssueRequest,
  NewGrant,
  RotateDecision,
  RotateRequest,
} from "../core/grant.ts"
import type { BookRow, Doubles, Exposure } from "../core/invariants.ts"
import type { LedgerEntry, Revoker } from "../core/ledger-facts.ts"
import type { LedgerFilter, LedgerPlace } from "../core/ledger-filter.ts"
import type { Offer, OfferRecord } from "../core/offers.ts"
import type { Move, Redemption, RedemptionState } from "../core/redemption.ts"
import type { Meter, SliceReport } from "../core/units.ts"
import type { WhitelistMember } from "../core/whitelist.ts"
import type {
  BooksIdentity,
  ClaimOrder,
  ClaimOutcome,
  GrantHandle,
  InFlight,
  NumberedRevocation,
  PaidBlock,
  PaymentSum,
  Population,
  Progress,
  Redeemed,
  RedeemOrder,
  RedeemOutcome,
  RedemptionHistory,
  RelayTransaction,
  RevocationTarget,
  SaleSum,
  SignedBytes,
  SumsRequest,
  TopUpOrder,
  TopUpOutcome,
  TransferId,
  UnitsTaken,
  WhitelistSnapshot,
} from "./records.ts"

/**
 * The store cannot answer now (busy beyond its deadline, disk full, closed). Nothing was written, unless the database was
 * lost during COMMIT and stays away. The same call then finds the written rows by their key.
 */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "StoreUnavailable"
  }
}

/** A database that cannot be trusted or used; the message names it as it was configured. */
export class StoreFileError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "StoreFileError"
  }
}

/** The caller no longer holds the worker's lease; nothing was written. */
export class Fenced extends Error {
  constructor() {
    super("another process holds the settlement lease")
    this.name = "Fenced"
  }
}

/**
 * Every verb is one transaction and is durable when it resolves. Verbs that carry a `fence` throw {@link Fenced} when a
 * newer lease was given out. All throw {@link StoreUnavailable} when they could not be carried out.
 */
export type Store = {
  /**
   * Records the service that starts and a new generation of the books. Every start has a new generation: a restored
   * backup must not pass for the books that went on. Books of another issuer or of other keys stay unchanged.
   * Resolves to the service recorded before; null for books without one.
   */
  identify(input: BooksIdentity & { generation: string; now: number }): Promise<BooksIdentity | null>
  /** The service recorded last; null for books that no service has opened. */
  identity(): Promise<BooksIdentity | null>
  /** Readers with a cursor of another generation start anew. */
  generation(): Promise<string>
  /** An instance says that it runs; silent ones are forgotten. */
  beat(input: { id: string; now: number }): Promise<void>
  /** The instance has ended. */
  leave(input: { id: string }): Promise<void>
  /** The encrypted key ring, and the number of its changes; null before the first. */
  keyRing(): Promise<{ number: number; sealed: string | null }>
  /** Stores the next version of the ring; false, and nothing done, unless `known` is the number of the newest. */
  replaceKeyRing(input: { known: number; sealed: string }): Promise<boolean>
  /** Puts these offers on sale and marks all others as replaced; answers every offer remembered. */
  publishOffers(input: { offers: readonly Offer[]; now: number }): Promise<readonly OfferRecord[]>

  /** Claims the key, opens the grant, books the entry and queues the settlement, or does nothing. */
  redeem(order: RedeemOrder): Promise<RedeemOutcome>
  /**
   * Claims the key for an existing grant, as `core/credit.ts` decides. The grant gets the purchased time and units at
   * once, or after the chain's verdict if the payment settles first. If the payment fails, the grant loses them
   * again.
   */
  topUp(order: TopUpOrder): Promise<TopUpOutcome>
  /**
   * Claims the key of a payment that is on the chain already, opens its grant and books both. A row that was imported
   * for the payment changes to the new grant. Nothing is left to settle.
   */
  claim(order: ClaimOrder): Promise<ClaimOutcome>
  /** Every payment ever claimed for a grant, oldest first. */
  payments(input: { grantId: string }): Promise<readonly Redemption[]>
  /**
   * The redemption stored under a key, with its grant. For answering repeats, never for deciding whether to claim.
   */
  recall(input: { key: string }): Promise<Redeemed | null>
  /**
   * Finds the newest grant that a handle names, with its current payment or the one whose secret was shown; null when
   * there is none. A derived grant comes with the limits and the payment of its parent.
   */
  findGrant(input: GrantHandle): Promise<{ grant: Grant; redemption: Redemption | null } | null>
  /**
   * Issues the first token of a settle-first purchase once its payment has settled, as `core/grant.ts` decides,
   * exactly once. Resolves to the rows stored afterwards; null for an unknown key.
   */
  issue(input: { key: string } & IssueRequest): Promise<Redeemed | null>
  /**
   * Gives the owner of a payment a new grant with the rest of one that a reused refresh token ended, as
   * `core/recovery.ts` decides. Resolves to the rows stored afterwards; null for an unknown key.
   */
  recover(input: { key: string; id: string } & IssueRequest): Promise<Redeemed | null>
  /** Rotates the refresh token of a grant as `core/grant.ts` decides; null when there is no such grant. */
  rotate(
    input: { grantId: string } & RotateRequest,
  ): Promise<{ decision: RotateDecision; redemption: Redemption | null } | null>

  /**
   * Opens a grant that spends from another, as `core/derive.ts` decides, and books it; null when there is no such
   * parent. `shown`: the access token that the request presented, if any; it must still be valid.
   */
  derive(
    input: { grantId: string; shown: PresentedToken | null } & DeriveRequest,
  ): Promise<{ decision: DeriveDecision; redemption: Redemption | null } | null>

  /**
   * Records the use of earlier slices, and lends a slice of at least `cost` units. Units are lent once: a slice that
   * its process never reports counts as spent. `wanted`: the cost of all calls that wait. Beside other instances no
   * slice is larger, so that a crash loses no idle units.
   */
  takeUnits(input: {
    grantId: string
    holder: string
    cost: number
    wanted: number
    reports: readonly SliceReport[]
    now: number
  }): Promise<UnitsTaken>
  /** Records the use of slices. A repeated report changes nothing. */
  reportUnits(input: { reports: readonly SliceReport[] }): Promise<void>
  /** Gives a grant units for an operator, and books it. Null for an unknown grant or one that counts no units. */
  creditUnits(input: {
    grantId: string
    units: number
    /** The name of the admin token that asked for it. */
    admin?: string
    note: string | null
    now: number
  }): Promise<Meter | null>

  /**
   * Ends the target for refreshes and gates alike, and books it. Resolves to the number of grants or tokens that
   * ended.
   */
  revoke(input: {
    target: RevocationTarget
    by: Revoker
    /** The name of the admin token that asked for it. */
    admin?: string
    /** The operator's words for the ledger. */
    note: string | null
    now: number
  }): Promise<{ revoked: number }>
  /** Revocations after the cursor that may still concern a token, oldest first; start with cursor 0. */
  revocations(input: { cursor: number; limit: number; now: number }): Promise<readonly NumberedRevocation[]>
  entries(input: { after: number; limit: number }): Promise<readonly LedgerEntry[]>

  /** The newest entry, with the present generation of the books; sequence 0 before the first entry. */
  newest(): Promise<LedgerPlace>
  /** The sequence of the first entry at or after a time; null when there is none yet. */
  firstSince(input: { from: number }): Promise<number | null>
  /**
   * The sequence to read on after; null for a place in other books: unknown ones, or entries that were lost with a
   * restored backup.
   */
  resume(input: LedgerPlace): Promise<number | null>
  /** Entries that match, oldest first, of the sequences after `after` up to `until`. */
  ledger(input: {
    filter: LedgerFilter
    after: number
    until: number
    limit: number
  }): Promise<readonly LedgerEntry[]>
  /** Exact sums of the sales whose entries match, of the sequences after `after` up to `until`. */
  sums(input: SumsRequest & { after: number; until: number }): Promise<readonly SaleSum[]>

  /**
   * Consumes a key, such as that of a proof, and remembers it until a repeat would be useless anyway. `used`: the key
   * was consumed before. `full`: more keys are remembered than a service of this size needs.
   */
  useOnce(input: { key: string; until: number; now: number }): Promise<"taken" | "used" | "full">

  /**
   * Makes the list agree with the configuration as `core/whitelist.ts` decides, and books every change. Answers the ids
   * held back, because a command removed them.
   */
  publishWhitelist(input: {
    members: readonly WhitelistMember[]
    now: number
  }): Promise<{ heldBack: readonly string[] }>
  /** By command; puts a member on the list, or changes it. Books the change, if it is one. */
  addToWhitelist(input: { member: WhitelistMember; now: number }): Promise<{ changed: boolean }>
  /** By command; books the change, if it is one. */
  removeFromWhitelist(input: { id: string; now: number }): Promise<{ changed: boolean }>
  /** The list; null when it has not changed since that version. */
  whitelist(input: { version: number }): Promise<WhitelistSnapshot | null>
  /** Opens a grant without payment and books it, if its subject is on the list with that secret, or as an address. */
  admit(input: {
    grant: NewGrant
    secretSha256: string | null
    now: number
  }): Promise<{ readonly kind: "admitted"; readonly grant: IssuedGrant } | { readonly kind: "refused" }>

  /**
   * Redemptions in the order of their sale, with the sequence of the ledger's entry on it, up to `until` where that is
   * given.
   */
  redemptions(input: {
    state: RedemptionState | null
    after: number
    until?: number
    limit: number
  }): Promise<readonly { sequence: number; redemption: Redemption }[]>
  /** All that is kept of a redemption: every transaction it ever rode in, and every entry. Null for a key never claimed. */
  history(input: { key: string }): Promise<RedemptionHistory | null>
  /** For an operator; has a dead redemption tried again, and books it. False when it is not dead; throws for an unknown key. */
  retry(input: { key: string; admin?: string; now: number }): Promise<{ retried: boolean }>

  /**
   * Takes the settlement lease, or renews it for the same holder; null while another holder's lease is alive. A lease
   * that ends later than a lease can last was given before the clock was set back, and is ignored: settlement would
   * stand still until then.
   */
  lease(input: { holder: string; seconds: number; now: number }): Promise<{ fence: number } | null>
  release(input: { fence: number }): Promise<void>

  /** Accepted rows that are due, the one that expires first first; and failed rows due for a last look. */
  due(input: { fence: number; network: string; now: number; limit: number }): Promise<readonly Redemption[]>
  /** Suspended rows that are due, the one that waits longest first; apart, so that they delay no other payment. */
  suspended(input: {
    fence: number
    network: string
    now: number
    limit: number
  }): Promise<readonly Redemption[]>
  /**
   * The nonce that the next transaction of this relayer must have; `chainNonce` is the chain's count (latest).
   * `skipped`: the number of nonces after our last one that somebody else with the key has used.
   */
  nextNonce(input: {
    fence: number
    network: string
    relayer: Address
    chainNonce: number
  }): Promise<{ nonce: number; skipped: number }>
  /**
   * Uses up the nonce, stores the bytes and puts the redemptions into the transaction, before anything is sent. Throws when the
   * nonce is not the next one or a redemption does not wait for one. An earlier nonce that never had a transaction may be
   * filled by one without redemptions.
   */
  prepare(input: {
    fence: number
    network: string
    relayer: Address
    nonce: number
    to: Address
    data: Hex
    gas: bigint
    version: SignedBytes
    redemptions: readonly string[]
    now: number
  }): Promise<RelayTransaction>
  /** Stores replacement bytes for the same nonce, before they are sent; `call` when they make another one. */
  replace(input: {
    fence: number
    transactionId: number
    version: SignedBytes
    call?: Call
    now: number
  }): Promise<void>
  /** A node took the bytes. */
  broadcast(input: { fence: number; transactionId: number; now: number }): Promise<void>
  /** Transactions whose nonce is not known to be used up, lowest nonce first, with what rides in them. */
  inFlight(input: { fence: number; network: string }): Promise<readonly InFlight[]>
  /** The transaction stored for a nonce, in any state; null for a nonce that this service never used. */
  transactionAt(input: {
    fence: number
    network: string
    relayer: Address
    nonce: number
  }): Promise<RelayTransaction | null>
  /** Rows in state `mined`. */
  mined(input: { fence: number; network: string }): Promise<readonly Redemption[]>
  /** Blocks with rows in state `paid`, each once, oldest first. */
  paidBlocks(input: { fence: number; network: string; limit: number }): Promise<readonly PaidBlock[]>
  /** Rows in state `paid` by a Transfer in this block. */
  paidIn(input: { fence: number; network: string } & PaidBlock): Promise<readonly Redemption[]>
  /** Records the findings of settlement: all moves and the transaction's end, together or not at all. */
  conclude(input: {
    fence: number
    /** The transaction's nonce is used up on chain. */
    done?: number
    /** The transaction's block went away: its bytes are to be sent again. */
    reopened?: number
    /** `gas`: the cost of a try that did not pay. */
    moves: readonly { key: string; move: Move; gas?: bigint }[]
    now: number
  }): Promise<void>
  /** Payments that are suspended, on all networks. */
  suspendedCount(): Promise<number>
  /** Gas that failed tries cost within the last hour. */
  failedGas(input: { now: number }): Promise<bigint>

  /** Grants by id, each with all that the books say of its money, to look through them in pieces; begins after `""`. */
  books(input: { after: string; limit: number }): Promise<readonly BookRow[]>
  /** The unsettled payments, and the running totals that must agree with them. */
  exposure(): Promise<Exposure>
  doubles(): Promise<Doubles>
  /** The running totals alone, without a look at the payments, and who caused the losses. */
  standing(): Promise<Standing>
  /**
   * Sums a range of all payments, so that other verbs wait for a bounded time. `next`: where the next range begins; null
   * after the newest.
   */
  paymentSums(input: {
    after: number
    limit: number
  }): Promise<{ sums: readonly PaymentSum[]; next: number | null }>
  population(input: { now: number }): Promise<Population>
  progress(input: { network: string }): Promise<Progress>
  /** Those of the transfers that pay for nothing in the books. */
  unbooked(input: { network: string; transfers: readonly TransferId[] }): Promise<readonly TransferId[]>
  /**
   * Imports payments that were found on the chain and that these books never sold, with grants that have ended.
   * Records that the books are complete up to `done`. Of payments already in the books only failed ones change: their
   * money is in. `since` counts at the first call only; blocks and nonces never go back. Resolves to the imported keys,
   * and to those of the failed ones.
   */
  catchUp(input: {
    network: string
    since: bigint
    done: bigint
    nonces: Progress["nonces"]
    payments: readonly Redeemed[]
    now: number
  }): Promise<{ readonly imported: readonly string[]; readonly late: readonly string[] }>

  close(): Promise<void>
}
