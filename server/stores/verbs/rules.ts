/** What every store decides alike: whether an order is refused, the row it becomes, and what the ledger says of it. */
import {
  type GrantEnd,
  longestTokenSeconds,
  type Revocation,
  revocationSlackSeconds,
} from "../../../shared/oauth/revocation.ts"
import type { TopUpEffect, TopUpRedemption } from "../../core/credit.ts"
import { type DeriveDecision, type DeriveRequest, derive } from "../../core/derive.ts"
import { type Admission, admit, type Exposure } from "../../core/exposure.ts"
import {
  type Grant,
  type IssueRequest,
  issue,
  openGrant,
  type RotateDecision,
  type RotateRequest,
  rotate,
} from "../../core/grant.ts"
import { type Redemption, type SettlePolicy, settlementState } from "../../core/redemption.ts"
import { standsFor, type WhitelistChange, type WhitelistRow } from "../../core/whitelist.ts"
import type { PaymentOrder, Redeemed, RedeemOrder, Revoker, TopUpOrder } from "../../ports/records.ts"

/** Whether and how a paying order is taken. */
export const admissionOf = (order: PaymentOrder, exposure: Exposure): Admission =>
  admit(
    {
      policy: order.policy,
      nominal: order.nominal,
      value: order.transfer.value,
      balance: order.intake.balance,
      validBefore: order.transfer.validBefore,
      blockSeconds: order.blockSeconds,
      now: order.now,
    },
    exposure,
    order.limits,
  )

/** The rows of an order taken; a free one never waits for money. */
export const rowsOf = (order: RedeemOrder, policy: SettlePolicy): Redeemed => ({
  redemption: redemptionOf(order, policy),
  grant: openGrant(policy === "first" ? { ...order.grant, token: null, ...proofOf(order) } : order.grant),
})

/** By what a buyer proves himself later who brought no proof of his own. */
const proofOf = ({ grant, retryHash }: RedeemOrder) => ({
  idempotencyHash:
    grant.opening === null && grant.idempotencyHash === null ? retryHash : grant.idempotencyHash,
})

/** Whether a grant that was not paid may yield tokens: its subject is on the list, and was when the grant began. */
export const isAdmitted = (grant: Pick<Grant, "startsAt">, row: WhitelistRow | null | undefined): boolean =>
  standsFor(row, grant.startsAt)

/** What a refresh token yields; `row` is the whitelist's for the grant's subject. */
export function rotationOf(
  grant: Grant,
  redemption: Redemption | null,
  row: WhitelistRow | null | undefined,
  request: RotateRequest,
): RotateDecision {
  if (!grant.paid && !isAdmitted(grant, row)) return { kind: "refused", reason: "access_denied" }
  return rotate(grant, redemption ? settlementState(redemption.state) : "none", request)
}

/** What is derived from a grant; `isTakenBack` of the access token that was shown. */
export function derivationOf(
  parent: Grant,
  redemption: Redemption | null,
  row: WhitelistRow | null | undefined,
  facts: { readonly recent: number; readonly isTakenBack: boolean },
  request: DeriveRequest,
): DeriveDecision {
  if (facts.isTakenBack) return { kind: "refused", reason: "subject_token_invalid" }
  if (!parent.paid && !isAdmitted(parent, row)) return { kind: "refused", reason: "access_denied" }
  return derive(parent, redemption ? settlementState(redemption.state) : "none", facts.recent, request)
}

/** Since when what was derived counts. */
export const derivedSince = (now: number): number => now - longestTokenSeconds

/** A settle-first grant as it is after somebody asked for its token. */
export const issueOf = ({ grant, redemption }: Redeemed, request: IssueRequest): Grant =>
  issue(grant, settlementState(redemption.state), request)

/** A grant that was over at this time cannot have a living token, clocks differing or not. */
export const livingSince = (now: number): number => now - revocationSlackSeconds

/** Until when a token of what ended at this time may live: none is issued any more, and none lives longer. */
const lastTokenAt = (endedAt: number): number => endedAt + longestTokenSeconds

/** What gates are told of a grant that ended. */
export const endOf = ({ id, expiresAt }: Grant, reason: GrantEnd, at: number): Revocation => ({
  kind: "grant",
  grantId: id,
  reason,
  expiresAt: Math.min(expiresAt, lastTokenAt(at)),
})

export const ruleOf = (
  { offer, before }: { readonly offer: string | null; readonly before: number },
  at: number,
): Revocation => ({ kind: "rule", offer, before, expiresAt: lastTokenAt(at) })

/**
 * When the grants of a caller without payment must have begun to stand behind its entry as it is now; the others end
 * with the change, so that gates that do not have the list hear of it too.
 */
export const standsSince = (row: WhitelistRow, at: number): number =>
  row.removedAt === null ? row.listedAt : at + 1

/** The row of a further payment; what it gives follows, at once or with the verdict of the chain. */
export const topUpRedemptionOf = (order: TopUpOrder, policy: SettlePolicy): TopUpRedemption => {
  const { jti, lives, topUp, grantId } = order
  const token = { jti, seconds: policy === "first" ? lives.full : lives.pending }
  return { ...paymentRow(order, grantId, policy), topUp: { ...topUp, token, gave: null } }
}

function redemptionOf(order: RedeemOrder, policy: SettlePolicy): Redemption {
  const row = paymentRow(order, order.grant.id, policy)
  // What is never settled needs no signature, and what is not stored cannot leak.
  return order.settle
    ? row
    : { ...row, transfer: { ...order.transfer, signature: "0x" }, state: "free", dueAt: null }
}

const paymentRow = (order: PaymentOrder, grantId: string, policy: SettlePolicy): Redemption => ({
  key: order.key,
  grantId,
  network: order.network,
  scheme: order.scheme,
  asset: order.asset,
  transfer: order.transfer,
  nominal: order.nominal,
  policy,
  state: "accepted",
  fromBlock: order.intake.blockNumber,
  acceptedAt: order.now,
  // At once, also when the clock is set back after the sale.
  dueAt: 0,
  attempts: 0,
  transactionId: null,
  evidence: null,
  failure: null,
  lastError: null,
  topUp: null,
})

type Facts = Readonly<Record<string, string>>

const commonFacts = ({ transfer, network, asset }: Redemption): Facts => ({
  value: transfer.value.toString(),
  payer: transfer.payer,
  network,
  asset,
})

export const redeemedFacts = (order: RedeemOrder, redemption: Redemption): Facts => ({
  ...commonFacts(redemption),
  ...(order.grant.offer !== null && { offer: order.grant.offer }),
  paid: String(order.settle),
  ...(order.settle && { settle: redemption.policy }),
})

export const topUpFacts = ({ topUp, ...row }: TopUpRedemption): Facts => ({
  ...commonFacts({ ...row, topUp }),
  offer: topUp.offer.ref,
  paid: "true",
  settle: row.policy,
  for: row.grantId,
})

/** What a further payment gave, or what was taken back; the credit in millionths of the currency. */
export function toppedFacts(before: TopUpRedemption, { entry, topUp, credit }: TopUpEffect): Facts {
  const gave = (entry === "topped_up" ? topUp : before.topUp).gave
  return {
    ...commonFacts(before),
    offer: topUp.offer.ref,
    ...(gave && { seconds: String(gave.seconds) }),
    ...(gave && gave.units !== null && { units: String(gave.units) }),
    ...(credit > 0n && { credit: credit.toString() }),
  }
}

/** What gates are told of a grant that changed and lives on. */
export const changeOfTokens = (grantId: string, before: number, at: number): Revocation => ({
  kind: "tokens",
  grantId,
  before,
  expiresAt: lastTokenAt(at),
})

/** Of an entry about settlement; `transaction` and `block` are those that settled or went away. */
export function movedFacts(before: Redemption, after: Redemption): Facts {
  const evidence = after.evidence ?? before.evidence
  return {
    ...commonFacts(after),
    ...(evidence && { transaction: evidence.transactionHash, block: evidence.blockNumber.toString() }),
    ...(after.failure && { failure: after.failure }),
    ...(after.state === "dead" && after.lastError !== null && { error: after.lastError }),
  }
}

/** Where a payment was found that these books never sold. */
export const importedFacts = (redemption: Redemption): Facts => movedFacts(redemption, redemption)

export const admittedFacts = (grant: Grant): Facts => ({ client: grant.subject, scope: grant.scope })

export const derivedFacts = ({ parent, scope, meter, expiresAt }: Grant): Facts => ({
  ...(parent !== null && { parent }),
  scope,
  ...(meter && { units: String(meter.given) }),
  until: String(expiresAt),
})

/** The hash of a secret stays out of the ledger: who reads it need not be able to try secrets. */
export const listFacts = ({ row }: WhitelistChange): Facts => ({
  entry: row.id,
  scope: row.scope,
  by: row.by,
})

export const endedFacts = (reason: GrantEnd, revoked: Facts = {}): Facts => ({ reason, ...revoked })

export const creditedFacts = (units: number, note: string | null): Facts => ({
  units: String(units),
  ...(note !== null && { note }),
})

export const revokedFacts = (by: Revoker, note: string | null): Facts => ({
  by,
  ...(note !== null && { note }),
})

export const ruleFacts = (
  { offer, before }: { readonly offer: string | null; readonly before: number },
  grants: number,
): Facts => ({ ...(offer !== null && { offer }), before: String(before), grants: String(grants) })

export type Lease = { readonly holder: string; readonly fence: number } & Term
type Term = { readonly grantedAt: number; readonly expiresAt: number }

/** Whether a lease keeps others out. */
function isAlive({ grantedAt, expiresAt }: Term, now: number): boolean {
  // Given in the future, by more than processes differ while they wait for each other: the clock was set back.
  const setBack = grantedAt - now > expiresAt - grantedAt
  return now < expiresAt && !setBack
}

/** The lease as the one who asks will hold it, or null while it is another's. */
export function leaseFor(
  current: Lease | undefined,
  { holder, seconds, now }: { holder: string; seconds: number; now: number },
): Lease | null {
  const term = { grantedAt: now, expiresAt: now + seconds }
  if (current && now < current.expiresAt && current.holder === holder) return { ...current, ...term }
  if (current && isAlive(current, now)) return null
  return { holder, fence: (current?.fence ?? 0) + 1, ...term }
}

/** How many used keys are remembered; proofs of possession of a minute, at 4,000 a second. */
export const usedKeysLimit = 2 ** 18

/** Worker verbs that name what does not exist or is not in the state they need; nothing was written. */
export const noSuch = (what: string, id: string | number): Error => new Error(`there is no ${what} ${id}`)
export const notInFlight = (id: number): Error => new Error(`transaction ${id} is not in flight`)
export const wrongNonce = (found: number, wanted: number): Error =>
  new Error(`found nonce ${found}, wanted the next one, ${wanted}`)
export const notAccepted = (redemption: Redemption): Error =>
  new Error(`a redemption in state ${redemption.state} cannot be sent`)
export const evidenceTaken = (): Error => new Error("this transfer already pays for another redemption")
