/** What the use cases may ask of the world; edges implement it, and only `app.ts` brings the two together. */
import type { Claims } from "../shared/access-token.ts"
import type { Address, Hex } from "../shared/evm.ts"
import type { NetworkInfo } from "../shared/network.ts"
import type { Receipt as PaymentReceipt } from "../shared/receipt.ts"
import type { Revocation } from "../shared/revocation.ts"
import type { RevocationList } from "../shared/revocation-list.ts"
import type { ChainLog, SignedTransfer } from "../shared/scheme.ts"
import type { Call } from "./core/batch.ts"
import type { ExposureLimits, LimitName } from "./core/exposure.ts"
import type {
  Grant,
  IssuedGrant,
  IssueRequest,
  NewGrant,
  RotateDecision,
  RotateRequest,
} from "./core/grant.ts"
import type { BookRow, Doubles, Exposure } from "./core/invariants.ts"
import type { Offer, OfferRecord } from "./core/offers.ts"
import type {
  Evidence,
  LedgerKind,
  Move,
  Redemption,
  RedemptionState,
  SettlePolicy,
} from "./core/redemption.ts"
import type { Meter, SliceReport } from "./core/units.ts"
import type { TransferReading } from "./core/verdict.ts"
import type { WhitelistEntry, WhitelistMember } from "./core/whitelist.ts"

/** Seconds since the epoch. */
export type Now = () => number
/** That many random bytes. */
export type Random = (bytes: number) => Uint8Array

export type Logger = {
  debug(fields: Record<string, unknown>, message: string): void
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** More work waits than this process takes on, or who does it has just failed. Nothing was done. */
export class Overloaded extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(`no room for more ${what}`, options)
    this.name = "Overloaded"
  }
}

/** How often somebody may come. Both throw the refusal `rate_limited`. */
export type Rate = {
  /** Counts one more request of the key. */
  take(key: string): Promise<void>
  /** Only looks. */
  check(key: string): Promise<void>
}

// ── Store ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type RedeemOrder = {
  readonly key: string
  readonly grant: NewGrant
  readonly network: string
  readonly scheme: string
  readonly asset: Address
  readonly transfer: SignedTransfer
  /** In millionths of the asset's nominal currency. */
  readonly nominal: bigint
  /**
   * False for a whitelisted caller: nothing is settled and the signature is not stored. Refused with `access_denied`
   * when the payer is not on the list any more.
   */
  readonly settle: boolean
  /** `background` may become `first` by a limit; then no token exists before the money is in. */
  readonly policy: SettlePolicy
  /** SHA-256 (hex) of the secret made up for a buyer who brought nothing to prove himself by; kept only when he has to wait. */
  readonly retryHash: string | null
  /** What the chain read said: the payer's balance as of a block. */
  readonly intake: { readonly blockNumber: bigint; readonly balance: bigint }
  /** Usual time between blocks of the network. */
  readonly blockSeconds: number
  readonly limits: ExposureLimits
  readonly now: number
}

/** By what a grant may be asked for: its id (from a token), its secret's opening, or its idempotency key's hash. */
export type GrantHandle =
  | { readonly by: "id" | "idempotencyHash"; readonly value: string }
  | { readonly by: "opening"; readonly value: Hex }

/** A redemption with the grant it bought. */
export type Redeemed = { readonly redemption: Redemption; readonly grant: Grant }

export type RedeemOutcome =
  /** `limit` is what made it settle-first although the order did not ask for that. */
  | ({ readonly kind: "redeemed"; readonly limit: LimitName | null } & Redeemed)
  /** The key was claimed before; nothing changed. */
  | ({ readonly kind: "repeated" } & Redeemed)
  | {
      readonly kind: "refused"
      readonly reason: "insufficient_funds" | "queue_full" | "idempotency_conflict" | "access_denied"
    }

export type LedgerEntry = {
  /** Ascending, without duplicates; gaps mean nothing. */
  readonly sequence: number
  readonly at: number
  readonly kind: LedgerKind
  /** Null for a change of the whitelist, and for a revocation of many grants at once. */
  readonly grantId: string | null
  /** Null for a grant without payment. */
  readonly redemptionKey: string | null
  /** Facts of the entry as strings (value, payer, transaction …). */
  readonly facts: Readonly<Record<string, string>>
}

/** The list as of its last change, named by the sequence of that change's ledger entry; 0 before the first. */
export type WhitelistNews = { readonly version: number; readonly entries: readonly WhitelistEntry[] }

export type UnitsTaken = {
  /** Null when the grant has not so many left, has ended, or counts nothing. */
  readonly slice: { readonly id: number; readonly units: number } | null
  readonly given: number
  /** What anybody may still take. */
  readonly left: number
  /** In slices of other processes that are not late: it may come back. */
  readonly elsewhere: number
}

/** What is to be taken back. What has ended already is left as it is. */
export type RevocationTarget =
  | { readonly kind: "grant"; readonly grantId: string }
  /** One access token; its grant lives on. */
  | { readonly kind: "token"; readonly grantId: string; readonly jti: string; readonly expiresAt: number }
  /** Every grant of an address, on whatever network, or of a client id, that began before. */
  | { readonly kind: "subject"; readonly id: string; readonly before: number }
  /** Every grant of an offer (its id or reference; null: every grant there is) that began before. */
  | { readonly kind: "rule"; readonly offer: string | null; readonly before: number }

/** Whoever shows a token of the grant, or the command. */
export type Revoker = "holder" | "operator"

/** The sequence is that of its ledger entry: a cursor. */
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

export type InFlight = { readonly transaction: RelayTransaction; readonly redemptions: readonly Redemption[] }

/** The store cannot answer now (busy beyond its deadline, disk full, closed). Nothing was written. */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "StoreUnavailable"
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
  /** Puts these offers on sale and marks all others as replaced; answers every offer remembered. */
  publishOffers(input: { offers: readonly Offer[]; now: number }): Promise<readonly OfferRecord[]>

  /** Claims the key, opens the grant, books the entry and queues the settlement, or does nothing. */
  redeem(order: RedeemOrder): Promise<RedeemOutcome>
  /** What is stored under a key; for answering repeats, never for deciding whether to claim. */
  recall(input: { key: string }): Promise<Redeemed | null>
  /** The grant a handle names, the newest if several; null when there is none. */
  findGrant(input: GrantHandle): Promise<{ grant: Grant; redemption: Redemption | null } | null>
  /**
   * Gives the grant of a settle-first purchase its first token once its payment is in, as `core/grant.ts` decides, exactly
   * once; answers what is stored afterwards. Null for an unknown key.
   */
  issue(input: { key: string } & IssueRequest): Promise<Redeemed | null>
  /** Rotates the refresh token of a grant as `core/grant.ts` decides; null when there is no such grant. */
  rotate(
    input: { grantId: string } & RotateRequest,
  ): Promise<{ decision: RotateDecision; redemption: Redemption | null } | null>

  /**
   * Notes what became of earlier slices, and takes a slice of at least `cost` units. Units are lent once: a process that
   * does not say what became of them has spent them.
   */
  takeUnits(input: {
    grantId: string
    holder: string
    cost: number
    reports: readonly SliceReport[]
    now: number
  }): Promise<UnitsTaken>
  /** Notes what became of slices; a report that was noted before changes nothing. */
  reportUnits(input: { reports: readonly SliceReport[] }): Promise<void>
  /** By command; gives a grant units and books it. Null for a grant that is not there or counts nothing. */
  creditUnits(input: {
    grantId: string
    units: number
    note: string | null
    now: number
  }): Promise<Meter | null>

  /** Ends what the target names, for refreshes and gates alike, and books it; answers how many grants or tokens that was. */
  revoke(input: {
    target: RevocationTarget
    by: Revoker
    /** The operator's words for the ledger. */
    note: string | null
    now: number
  }): Promise<{ revoked: number }>
  /** What was taken back after the cursor and may still concern a token, oldest first; start with cursor 0. */
  revocations(input: { cursor: number; limit: number; now: number }): Promise<readonly NumberedRevocation[]>
  entries(input: { after: number; limit: number }): Promise<readonly LedgerEntry[]>

  /**
   * Uses up a key, such as that of a proof, until it would be of no use any more; `used` when it was before, `full` when
   * more are remembered than a service of this size has use for.
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
  whitelist(input: { version: number }): Promise<WhitelistNews | null>
  /** Opens a grant without payment and books it, if its subject is on the list with that secret, or as an address. */
  admit(input: {
    grant: NewGrant
    secretSha256: string | null
    now: number
  }): Promise<{ readonly kind: "admitted"; readonly grant: IssuedGrant } | { readonly kind: "refused" }>

  /** Redemptions in the order of their sale, with the sequence of the ledger's entry on it. */
  redemptions(input: {
    state: RedemptionState | null
    after: number
    limit: number
  }): Promise<readonly { sequence: number; redemption: Redemption }[]>
  /** All that is kept of a redemption: every transaction it ever rode in, and every entry. Null for a key never claimed. */
  history(input: { key: string }): Promise<RedemptionHistory | null>
  /** By command; has a dead redemption tried again, and books it. False when it is not dead; throws for an unknown key. */
  retry(input: { key: string; now: number }): Promise<{ retried: boolean }>

  /**
   * Takes, or renews for the same holder, the one lease to settle; null while another's is alive. A lease given further
   * in the future than it is long is of a clock since set back, and not waited for.
   */
  lease(input: { holder: string; seconds: number; now: number }): Promise<{ fence: number } | null>
  release(input: { fence: number }): Promise<void>

  /** Accepted rows that are due, the one that expires first first; and failed rows due for a last look. */
  due(input: { fence: number; network: string; now: number; limit: number }): Promise<readonly Redemption[]>
  /**
   * The nonce the next transaction of this relayer must have; `chainNonce` is what the chain has counted (latest).
   * `skipped`: so many nonces after our last one were used by somebody else who has the key.
   */
  nextNonce(input: {
    fence: number
    network: string
    relayer: Address
    chainNonce: number
  }): Promise<{ nonce: number; skipped: number }>
  /**
   * Uses up the nonce, stores the bytes and moves the redemptions to `sent`, before anything is sent. Throws when the
   * nonce is not the next one or a redemption is not `accepted`. An earlier nonce that never had a transaction may be
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
  /** What was stored for a nonce, whatever became of it; null for a nonce that never was ours. */
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
  /** Records what was found out: all moves, and the transaction's end, together or not at all. */
  conclude(input: {
    fence: number
    /** The transaction's nonce is used up on chain. */
    done?: number
    /** The transaction's block went away: its bytes are to be sent again. */
    reopened?: number
    moves: readonly { key: string; move: Move }[]
    now: number
  }): Promise<void>

  /** Grants by id, each with all that the books say of its money, to look through them in pieces; begins after `""`. */
  books(input: { after: string; limit: number }): Promise<readonly BookRow[]>
  /** What is unsettled, and what the running totals say of it. */
  exposure(): Promise<Exposure>
  doubles(): Promise<Doubles>
  progress(input: { network: string }): Promise<Progress>
  /** Those of the transfers that pay for nothing in the books. */
  unbooked(input: { network: string; transfers: readonly TransferId[] }): Promise<readonly TransferId[]>
  /**
   * Takes in payments that were found on the chain and never sold by these books, with grants that have ended, and notes
   * that the books are complete up to `done`. What is known already is left as it is. `since` counts at the first look
   * only; blocks and nonces never go back. Answers the keys taken in.
   */
  catchUp(input: {
    network: string
    since: bigint
    done: bigint
    nonces: Progress["nonces"]
    payments: readonly Redeemed[]
    now: number
  }): Promise<{ readonly imported: readonly string[] }>

  close(): Promise<void>
}

// ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Nothing can be signed now. What was recorded stays so: the same request gives the token later. */
export class SignerUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "SignerUnavailable"
  }
}

export type VerifiedToken = { readonly claims: Claims; readonly kid: string }
export type KeySet = { readonly keys: readonly Readonly<Record<string, unknown>>[] }

/** Verbs that sign, derive or seal throw {@link SignerUnavailable}. */
export type Keys = {
  sign(claims: Claims): Promise<string>
  signReceipt(receipt: PaymentReceipt): Promise<string>
  signRevocations(list: RevocationList): Promise<string>
  /** Throws {@link SignerUnavailable} when signing would likely fail, for whoever has not promised anything yet. */
  check(): void
  /**
   * A token this service signed, in the one spelling it writes; undefined for everything else. Says nothing about time,
   * issuer or audience. Never throws for a bad token.
   */
  verify(token: string): Promise<VerifiedToken | undefined>
  /** Whether what the key signed is still accepted; to be asked at every look at a token verified earlier. */
  isTrusted(kid: string): boolean
  /** What tokens are checked with: keys that sign, will sign, or signed what is not over. */
  jwks(): KeySet
  /** What receipts are checked with: every key that ever signed, but for those removed. */
  receiptJwks(): KeySet
  /** Keys taken out in an emergency, for whoever must tell other verifiers; the oldest first. */
  removed(): readonly { readonly kid: string; readonly removedAt: number }[]
  /** Reads of changes by other processes, and replaces keys that are old enough. */
  refresh(): Promise<void>
  /** What only this service can make of a text, the same in all its processes; to be checked within minutes. */
  seal(text: string): string
  isSealed(text: string, seal: string): boolean
  refreshToken(grantId: string, generation: number): string
  /** Undefined for anything this service did not make. */
  readRefreshToken(token: string): { grantId: string; generation: number } | undefined
}

// ── Chain ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The node does not answer, or not with an answer. Says nothing about the payment. */
export class ChainUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "ChainUnavailable"
  }
}

/** The node is of another chain, or the asset's domain is not the configured one: a configuration error. */
export class ChainMismatch extends Error {
  constructor(message: string) {
    super(message)
    this.name = "ChainMismatch"
  }
}

/** Two different nodes did not say the same, or only one answered: nothing is decided about this payment. */
export class Unwitnessed extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "Unwitnessed"
  }
}

export type Receipt = {
  readonly transactionHash: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
  readonly success: boolean
  readonly logs: readonly ChainLog[]
}

/** A log with its place on the chain. */
export type LocatedLog = ChainLog & {
  readonly transactionHash: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
}

export type FoundLog = { readonly transactionHash: Hex; readonly blockNumber: bigint }

export type Fees = { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }

export type SendResult = "taken" | "nonce_too_low" | "underpriced" | "unfunded"

/** A live connection to one network. Every verb throws {@link ChainUnavailable} when the node does not answer in time. */
export type Chain = {
  readonly network: NetworkInfo
  /** Resolves once the node proved to be of this chain and every asset's domain separator to be the configured one. */
  ready(): Promise<void>
  /** Whether the node is one for development, such as anvil, whose accounts everybody knows. */
  isDevelopment(): Promise<boolean>
  readTransfer(input: { asset: Address; transfer: SignedTransfer; call: Hex }): Promise<TransferReading>
  head(): Promise<{ number: bigint; hash: Hex; time: number }>
  blockHash(number: bigint): Promise<Hex | null>
  /** Number of the newest block that no reorg takes back; `finalityBlocks` behind the head where a node cannot tell. */
  finalized(): Promise<bigint>
  /** Transactions of the account in blocks (`latest`). */
  nonceOf(address: Address): Promise<number>
  /** Wei. */
  gasBalance(address: Address): Promise<bigint>
  fees(): Promise<Fees>
  /** Gas the call needs, or null when it reverts. */
  estimateGas(call: { from: Address; to: Address; data: Hex }): Promise<bigint | null>
  /** What the call would answer with that much gas, or null when it fails as a whole. */
  dryRun(call: { from: Address; to: Address; data: Hex; gas: bigint }): Promise<Hex | null>
  /** Whether there is code at the address, EIP-7702 delegations included. */
  hasCode(address: Address): Promise<boolean>
  send(raw: Hex): Promise<SendResult>
  receipt(hash: Hex): Promise<Receipt | null>
  /**
   * The same answers, but only where two different nodes give them; else {@link Unwitnessed}. Null for a payment of a
   * nominal value that one node's word is enough for, and where there is one node only.
   */
  agreed(nominal: bigint): Pick<Chain, "readTransfer" | "receipt"> | null
  findLogs(input: {
    asset: Address
    topics: readonly (Hex | readonly Hex[] | null)[]
    fromBlock: bigint
  }): Promise<readonly FoundLog[]>
  /** Every log of the asset with these topics in the blocks, both ends included, in the chain's order. */
  logs(input: {
    asset: Address
    topics: readonly (Hex | readonly Hex[] | null)[]
    fromBlock: bigint
    toBlock: bigint
  }): Promise<readonly LocatedLog[]>
}

/** The account that pays gas; it signs settlement calls and nothing else. */
export type Relayer = {
  readonly address: Address
  sign(transaction: {
    chainId: number
    nonce: number
    to: Address
    data: Hex
    gas: bigint
    fees: Fees
  }): Promise<SignedBytes>
}
