/** Defines ledger facts: the public record of events, a union discriminated by `kind`. */
import type { GrantEnd } from "../../shared/oauth/revocation.ts"
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { TopUpEffect, TopUpRedemption } from "./credit.ts"
import type { Grant } from "./grant.ts"
import type { FailureReason, MoveEntry, Redemption, SettlePolicy } from "./redemption.ts"
import type { WhitelistAuthor, WhitelistChange } from "./whitelist.ts"

/** `holder`: a request that showed a token of the grant. `operator`: a command, or a request to the admin address. */
export type Revoker = "holder" | "operator"

/** An amount, a count or an instant; a string, because the ledger keeps facts as JSON. */
type Decimal = string

type PaymentFacts = {
  /** Atomic units. */
  readonly value: Decimal
  readonly payer: Address
  readonly network: string
  readonly asset: Address
}

/** The Transfer that settled a payment, or that a reorg removed. */
type PlaceFacts = { readonly transaction?: Hex; readonly block?: Decimal }

type TopUpFacts = PaymentFacts & {
  readonly offer: string
  /** By how much the end of the grant moved, and by how much its units grew. */
  readonly seconds?: Decimal
  readonly units?: Decimal
  /** Carried over from the offer before, in millionths of the currency. */
  readonly credit?: Decimal
}

/** `admin`: name of the admin token that asked for it; missing for the command line. */
type OperatorFacts = { readonly admin?: string; readonly note?: string }

type RevokedFacts = OperatorFacts & { readonly by: Revoker }

type WhitelistFacts = { readonly entry: string; readonly scope: string; readonly by: WhitelistAuthor }

/** The facts of each kind; their names are stored, so a name never changes. */
type FactsOf = {
  /** `settle` is missing for a whitelisted payer; `for` names the grant of a further payment. */
  redeemed: PaymentFacts & {
    readonly offer?: string
    readonly paid: "true" | "false"
    readonly settle?: SettlePolicy
    readonly for?: string
  }
  settled: PaymentFacts & PlaceFacts
  failed: PaymentFacts & PlaceFacts & { readonly failure?: FailureReason }
  /** The asset refused the payment in two distinct blocks; its grant opens nothing until the money is in. */
  suspended: PaymentFacts & { readonly failure?: FailureReason }
  /** Its grant goes on: the money of a suspended or failed payment is in, or a suspended top-up was taken back. */
  resumed: PaymentFacts & PlaceFacts
  /** The money of a failed payment arrived, and its grant had ended for another reason: it is the buyer's. */
  owed: PaymentFacts & PlaceFacts
  /** A reorg removed the block of a payment. */
  reopened: PaymentFacts & PlaceFacts
  /** Tried too often; waits for an operator. */
  dead: PaymentFacts & PlaceFacts & { readonly error?: string }
  /** A dead payment is tried again by an operator. */
  retried: PaymentFacts & PlaceFacts & { readonly admin?: string }
  /** A payment found on the chain that these books never sold. */
  imported: PaymentFacts & PlaceFacts
  /** The opener of the nonce of a payment found on the chain got a grant for it. */
  claimed: PaymentFacts & PlaceFacts & { readonly offer?: string }
  /** The owner of a purchase got a new grant, because a reused refresh token had ended the one before. */
  recovered: { readonly before: string }
  ended: { readonly reason: GrantEnd } & Partial<RevokedFacts>
  /** A grant without a payment. */
  admitted: { readonly client: string; readonly scope: string }
  /** One access token was revoked; its grant lives on. */
  token_revoked: RevokedFacts & { readonly jti: string }
  /** Many grants ended at once, by a rule. */
  revoked: RevokedFacts & { readonly offer?: string; readonly before: Decimal; readonly grants: Decimal }
  topped_up: TopUpFacts
  /** A further payment failed, and its grant lost the time and units from it. */
  taken_back: TopUpFacts
  /** A grant with less than another, which it spends from. */
  derived: {
    readonly parent?: string
    readonly scope: string
    readonly units?: Decimal
    readonly until: Decimal
  }
  /** Units given to a grant by an operator. */
  credited: OperatorFacts & { readonly units: Decimal }
  /** A start with another `payTo`. */
  payee_changed: { readonly before: Address; readonly after: Address }
  whitelist_added: WhitelistFacts
  whitelist_removed: WhitelistFacts
}

export type LedgerKind = keyof FactsOf

const kinds = {
  redeemed: true,
  settled: true,
  failed: true,
  suspended: true,
  resumed: true,
  owed: true,
  reopened: true,
  dead: true,
  retried: true,
  imported: true,
  ended: true,
  admitted: true,
  token_revoked: true,
  revoked: true,
  topped_up: true,
  taken_back: true,
  derived: true,
  recovered: true,
  credited: true,
  claimed: true,
  payee_changed: true,
  whitelist_added: true,
  whitelist_removed: true,
} satisfies Record<LedgerKind, true>
export const ledgerKinds = Object.keys(kinds) as readonly LedgerKind[]

type Fact<K extends LedgerKind> = { readonly kind: K; readonly facts: Readonly<FactsOf[K]> }

export type LedgerFact = { [K in LedgerKind]: Fact<K> }[LedgerKind]

/** A fact as the ledger keeps it. */
export type LedgerEntry = LedgerFact & {
  /** Ascending, without duplicates; gaps mean nothing. */
  readonly sequence: number
  readonly at: number
  /** Null for changes of the whitelist and of `payTo`, and for a revocation of many grants at once. */
  readonly grantId: string | null
  readonly redemptionKey: string | null
}

/** Kinds that say how far the money of a redemption is. */
export const outcomeKinds = ["settled", "imported", "reopened", "failed"] as const satisfies LedgerKind[]

const paymentOf = ({ transfer, network, asset }: Redemption): PaymentFacts => ({
  value: transfer.value.toString(),
  payer: transfer.payer,
  network,
  asset,
})

/** `offer` is the reference of the bought offer; null for a whitelisted payer without one. */
export const redeemedFact = (row: Redemption, offer: string | null): Fact<"redeemed"> => ({
  kind: "redeemed",
  facts: {
    ...paymentOf(row),
    ...(offer !== null && { offer }),
    paid: row.state === "free" ? "false" : "true",
    ...(row.state !== "free" && { settle: row.policy }),
    ...(row.topUp && { for: row.grantId }),
  },
})

/** The step of a payment towards its money, or away from it. */
export function movedFact(
  kind: MoveEntry,
  before: Redemption,
  after: Redemption,
  admin?: string,
): LedgerFact {
  const facts = { ...paymentOf(after), ...placeOf(after.evidence ?? before.evidence) }
  switch (kind) {
    case "failed":
    case "suspended":
      return { kind, facts: { ...facts, ...(after.failure && { failure: after.failure }) } }
    case "dead":
      return { kind, facts: { ...facts, ...(after.lastError !== null && { error: after.lastError }) } }
    case "retried":
      return { kind, facts: { ...facts, ...(admin !== undefined && { admin }) } }
    default:
      return { kind, facts }
  }
}

/** The effect on the grant when the money came late. */
export const lateFact = (kind: "resumed" | "owed", row: Redemption): Fact<"resumed"> | Fact<"owed"> => ({
  kind,
  facts: { ...paymentOf(row), ...placeOf(row.evidence) },
})

export const importedFact = (row: Redemption): Fact<"imported"> => ({
  kind: "imported",
  facts: { ...paymentOf(row), ...placeOf(row.evidence) },
})

/** `offer` is the reference of the bought offer. */
export const claimedFact = (row: Redemption, offer: string | null): Fact<"claimed"> => ({
  kind: "claimed",
  facts: { ...paymentOf(row), ...placeOf(row.evidence), ...(offer !== null && { offer }) },
})

const placeOf = (evidence: Redemption["evidence"]): PlaceFacts =>
  evidence ? { transaction: evidence.transactionHash, block: evidence.blockNumber.toString() } : {}

/** `before`: the row of the further payment before this event, with the time and units it gave. */
export function toppedFact(
  before: TopUpRedemption,
  { entry, topUp, credit }: TopUpEffect,
): Fact<"topped_up"> | Fact<"taken_back"> {
  const gave = (entry === "topped_up" ? topUp : before.topUp).gave
  return {
    kind: entry,
    facts: {
      ...paymentOf(before),
      offer: topUp.offer.ref,
      ...(gave && { seconds: String(gave.seconds) }),
      ...(gave && gave.units !== null && { units: String(gave.units) }),
      ...(credit > 0n && { credit: credit.toString() }),
    },
  }
}

export const admittedFact = ({ subject, scope }: Grant): Fact<"admitted"> => ({
  kind: "admitted",
  facts: { client: subject, scope },
})

export const derivedFact = ({ parent, scope, meter, expiresAt }: Grant): Fact<"derived"> => ({
  kind: "derived",
  facts: {
    ...(parent !== null && { parent }),
    scope,
    ...(meter && { units: String(meter.given) }),
    until: String(expiresAt),
  },
})

export const creditedFact = (units: number, author: Operator): Fact<"credited"> => ({
  kind: "credited",
  facts: { units: String(units), ...operatorOf(author) },
})

/** `revoked` is given when somebody asked for the end. */
export const endedFact = (reason: GrantEnd, revoked: RevokedBy | null): Fact<"ended"> => ({
  kind: "ended",
  facts: { reason, ...(revoked && { by: revoked.by, ...operatorOf(revoked) }) },
})

/** The operator behind an action: the name of the admin token, if one was shown, and words for the ledger. */
export type Operator = { readonly admin?: string | undefined; readonly note: string | null }

/** The author of a revocation. */
export type RevokedBy = Operator & { readonly by: Revoker }

export const tokenRevokedFact = (author: RevokedBy, jti: string): Fact<"token_revoked"> => ({
  kind: "token_revoked",
  facts: { by: author.by, ...operatorOf(author), jti },
})

export const ruleFact = (
  author: RevokedBy,
  { offer, before }: { readonly offer: string | null; readonly before: number },
  grants: number,
): Fact<"revoked"> => ({
  kind: "revoked",
  facts: {
    by: author.by,
    ...operatorOf(author),
    ...(offer !== null && { offer }),
    before: String(before),
    grants: String(grants),
  },
})

/** The hash of a secret stays out of the ledger: a reader must not be able to try secrets. */
export const whitelistFact = (
  kind: "whitelist_added" | "whitelist_removed",
  { row }: WhitelistChange,
): Fact<"whitelist_added"> | Fact<"whitelist_removed"> => ({
  kind,
  facts: { entry: row.id, scope: row.scope, by: row.by },
})

/** `before` is the id of the grant that ended. */
export const recoveredFact = (before: string): Fact<"recovered"> => ({ kind: "recovered", facts: { before } })

export const payeeChangedFact = (before: Address, after: Address): Fact<"payee_changed"> => ({
  kind: "payee_changed",
  facts: { before, after },
})

const operatorOf = ({ admin, note }: Operator): OperatorFacts => ({
  ...(admin !== undefined && { admin }),
  ...(note !== null && { note }),
})
