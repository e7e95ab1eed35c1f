/** Rows of the SQLite store to nouns and back: amounts are TEXT, integers come as bigint and leave checked. */

import type { GrantEnd, Revocation } from "../../../shared/oauth/revocation.ts"
import type { Address, Hex } from "../../../shared/values/evm.ts"
import { stands } from "../../core/credit.ts"
import type { Grant } from "../../core/grant.ts"
import type { Offer, OfferRecord } from "../../core/offers.ts"
import type {
  FailureReason,
  LedgerKind,
  Redemption,
  RedemptionState,
  SettlePolicy,
} from "../../core/redemption.ts"
import type { TopUp } from "../../core/top-up.ts"
import type { WhitelistAuthor, WhitelistRow } from "../../core/whitelist.ts"
import type { LedgerEntry, NumberedRevocation, RelayTransaction, SignedBytes } from "../../ports/records.ts"

/** A column as better-sqlite3 gives it with safe integers. */
type Column = string | bigint | null
export type Row = Record<string, Column>

/** For `IN`; a query uses a partial index only when both say the same. */
export const listOf = (states: readonly RedemptionState[]): string =>
  states.map((state) => `'${state}'`).join(", ")

/** For `IN`: the grant `:id` with all that was derived from it. */
export const family = "(SELECT :id UNION ALL SELECT id FROM grants WHERE parent = :id)"

/** Grants without an end that began before and may have living tokens; two indices find them. */
export const living =
  // The time of a settle-first purchase has not begun before its token is issued.
  "(expires_at >= :since OR token_jti IS NULL) AND starts_at < :before AND end_reason IS NULL"

/** Never rounds: a number beyond 2^53 is an error. */
export function integer(column: Column | undefined): number {
  const value = Number(column)
  if (typeof column !== "bigint" || !Number.isSafeInteger(value)) throw new Error("found no safe integer")
  return value
}

const integerOrNull = (column: Column | undefined): number | null =>
  column === null ? null : integer(column)

export function text<T extends string = string>(column: Column | undefined): T {
  if (typeof column !== "string") throw new Error("found no text")
  return column as T
}

const textOrNull = <T extends string>(column: Column | undefined): T | null =>
  column === null ? null : text<T>(column)

export const amount = (column: Column | undefined): bigint => BigInt(text(column))

const block = (column: Column | undefined): bigint => BigInt(integer(column))

export const redemptionFrom = (row: Row): Redemption => ({
  key: text(row.key),
  grantId: text(row.grant_id),
  network: text(row.network),
  scheme: text(row.scheme),
  asset: text<Address>(row.asset),
  transfer: {
    payer: text<Address>(row.payer),
    payTo: text<Address>(row.pay_to),
    value: amount(row.value),
    validAfter: amount(row.valid_after),
    validBefore: amount(row.valid_before),
    nonce: text<Hex>(row.nonce),
    signature: text<Hex>(row.signature),
  },
  nominal: amount(row.nominal),
  policy: text<SettlePolicy>(row.policy),
  state: text<RedemptionState>(row.state),
  fromBlock: block(row.from_block),
  acceptedAt: integer(row.accepted_at),
  dueAt: integerOrNull(row.due_at),
  attempts: integer(row.attempts),
  transactionId: integerOrNull(row.transaction_id),
  evidence:
    row.transaction_hash === null
      ? null
      : {
          transactionHash: text<Hex>(row.transaction_hash),
          logIndex: integer(row.log_index),
          blockNumber: block(row.block_number),
          blockHash: text<Hex>(row.block_hash),
        },
  failure: textOrNull<FailureReason>(row.failure),
  lastError: textOrNull(row.last_error),
  topUp: row.top_up === null ? null : topUpFrom(text(row.top_up)),
})

function topUpFrom(json: string): TopUp {
  const topUp = JSON.parse(json) as TopUp
  const { gave } = topUp
  return gave
    ? { ...topUp, gave: { ...gave, basis: { ...gave.basis, value: BigInt(gave.basis.value) } } }
    : topUp
}

/** What never changes about a redemption. */
export const fixedColumnsOf = (redemption: Redemption) => ({
  key: redemption.key,
  grant_id: redemption.grantId,
  network: redemption.network,
  scheme: redemption.scheme,
  asset: redemption.asset,
  payer: redemption.transfer.payer,
  pay_to: redemption.transfer.payTo,
  value: redemption.transfer.value.toString(),
  valid_after: redemption.transfer.validAfter.toString(),
  valid_before: redemption.transfer.validBefore.toString(),
  nonce: redemption.transfer.nonce,
  signature: redemption.transfer.signature,
  nominal: redemption.nominal.toString(),
  policy: redemption.policy,
  from_block: redemption.fromBlock,
  accepted_at: redemption.acceptedAt,
  opening: redemption.topUp?.opening ?? null,
})

export const movingColumnsOf = (redemption: Redemption) => ({
  key: redemption.key,
  state: redemption.state,
  due_at: redemption.dueAt,
  attempts: redemption.attempts,
  transaction_id: redemption.transactionId,
  transaction_hash: redemption.evidence?.transactionHash ?? null,
  log_index: redemption.evidence?.logIndex ?? null,
  block_number: redemption.evidence?.blockNumber ?? null,
  block_hash: redemption.evidence?.blockHash ?? null,
  failure: redemption.failure,
  last_error: redemption.lastError,
  top_up: redemption.topUp && jsonOf(redemption.topUp),
  stands: stands(redemption) ? 1 : 0,
})

export const grantFrom = (row: Row): Grant => ({
  id: text(row.id),
  offer: textOrNull(row.offer),
  scope: text(row.scope),
  subject: text(row.subject),
  paid: row.paid === 1n,
  startsAt: integer(row.starts_at),
  expiresAt: integer(row.expires_at),
  opening: textOrNull<Hex>(row.opening),
  idempotencyHash: textOrNull(row.idempotency_hash),
  meter:
    row.units_given === null
      ? null
      : {
          given: integer(row.units_given),
          left: integer(row.units_left),
          held: integer(row.units_held),
          spent: integer(row.units_spent),
        },
  keyThumbprint: textOrNull(row.key_thumbprint),
  parent: textOrNull(row.parent),
  generation: integer(row.generation),
  token:
    row.token_jti === null
      ? null
      : {
          jti: text(row.token_jti),
          issuedAt: integer(row.token_issued_at),
          expiresAt: integer(row.token_expires_at),
          settled: row.token_settled === 1n,
        },
  ended:
    row.end_reason === null ? null : { reason: text<GrantEnd>(row.end_reason), at: integer(row.ended_at) },
})

export const grantColumnsOf = (grant: Grant) => ({
  id: grant.id,
  offer: grant.offer,
  scope: grant.scope,
  subject: grant.subject,
  paid: grant.paid ? 1 : 0,
  starts_at: grant.startsAt,
  expires_at: grant.expiresAt,
  opening: grant.opening,
  idempotency_hash: grant.idempotencyHash,
  units_given: grant.meter?.given ?? null,
  units_left: grant.meter?.left ?? null,
  units_held: grant.meter?.held ?? null,
  units_spent: grant.meter?.spent ?? null,
  key_thumbprint: grant.keyThumbprint,
  parent: grant.parent,
  generation: grant.generation,
  token_jti: grant.token?.jti ?? null,
  token_issued_at: grant.token?.issuedAt ?? null,
  token_expires_at: grant.token?.expiresAt ?? null,
  token_settled: grant.token ? Number(grant.token.settled) : null,
  end_reason: grant.ended?.reason ?? null,
  ended_at: grant.ended?.at ?? null,
})

export const entryFrom = (row: Row): LedgerEntry => ({
  sequence: integer(row.sequence),
  at: integer(row.at),
  kind: text<LedgerKind>(row.kind),
  grantId: textOrNull(row.grant_id),
  redemptionKey: textOrNull(row.redemption_key),
  facts: JSON.parse(text(row.facts)) as Record<string, string>,
})

export const numberedRevocationFrom = (row: Row): NumberedRevocation => ({
  sequence: integer(row.sequence),
  revocation: JSON.parse(text(row.content)) as Revocation,
})

export const whitelistRowFrom = (row: Row): WhitelistRow => ({
  id: text(row.id),
  secretSha256: textOrNull(row.secret_sha256),
  scope: text(row.scope),
  by: text<WhitelistAuthor>(row.changed_by),
  listedAt: integer(row.listed_at),
  removedAt: integerOrNull(row.removed_at),
})

export const whitelistColumnsOf = (row: WhitelistRow) => ({
  id: row.id,
  secret_sha256: row.secretSha256,
  scope: row.scope,
  changed_by: row.by,
  listed_at: row.listedAt,
  removed_at: row.removedAt,
})

export const transactionFrom = (row: Row, versions: readonly Row[]): RelayTransaction => ({
  id: integer(row.id),
  network: text(row.network),
  relayer: text<Address>(row.relayer),
  nonce: integer(row.nonce),
  state: text<RelayTransaction["state"]>(row.state),
  to: text<Address>(row.recipient),
  data: text<Hex>(row.data),
  gas: amount(row.gas),
  versions: versions.map(versionFrom),
  storedAt: integer(row.stored_at),
  sentAt: integerOrNull(row.sent_at),
})

const versionFrom = (row: Row): SignedBytes => ({
  hash: text<Hex>(row.hash),
  raw: text<Hex>(row.raw),
  maxFeePerGas: amount(row.max_fee),
  maxPriorityFeePerGas: amount(row.max_priority_fee),
})

export const versionColumnsOf = (transactionId: number, version: SignedBytes) => ({
  transaction_id: transactionId,
  hash: version.hash,
  raw: version.raw,
  max_fee: version.maxFeePerGas.toString(),
  max_priority_fee: version.maxPriorityFeePerGas.toString(),
})

export function offerRecordFrom(row: Row): OfferRecord {
  const content = JSON.parse(text(row.content)) as Offer
  const prices = content.prices.map((price) => ({
    ...price,
    amount: price.amount === null ? null : BigInt(price.amount),
  }))
  return { offer: { ...content, prices }, replacedAt: integerOrNull(row.replaced_at) }
}

export const offerContentOf = (offer: Offer): string => jsonOf(offer)

const jsonOf = (value: object): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? each.toString() : each))
