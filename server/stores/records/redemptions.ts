/** Redemptions as rows: read, saved and counted. */
import type { Address, Hex } from "../../../shared/values/evm.ts"
import { stands } from "../../core/credit.ts"
import type { FailureReason, Redemption, RedemptionState, SettlePolicy } from "../../core/redemption.ts"
import type { TopUp } from "../../core/top-up.ts"
import type { Redeemed } from "../../ports/records.ts"
import { amount, block, integer, integerOrNull, jsonOf, text, textOrNull } from "./columns.ts"
import { countRedemption } from "./exposure.ts"
import { readGrant } from "./grants.ts"
import type { Row, Rows } from "./rows.ts"

export const redemptionQueries = {
  byKey: "SELECT * FROM redemptions WHERE key = :key",
  currentOfGrant:
    "SELECT * FROM redemptions WHERE grant_id = :grantId AND stands = 1 ORDER BY id DESC LIMIT 1",
  ofGrant: "SELECT * FROM redemptions WHERE grant_id = :grantId ORDER BY id",
  insert: `
    INSERT INTO redemptions (key, grant_id, network, scheme, asset, payer, pay_to, value, valid_after, valid_before,
      nonce, signature, nominal, policy, state, from_block, accepted_at, due_at, attempts, transaction_id, transaction_hash,
      log_index, block_number, block_hash, failure, last_error, top_up, opening, stands, payer_code)
    VALUES (:key, :grant_id, :network, :scheme, :asset, :payer, :pay_to, :value, :valid_after, :valid_before,
      :nonce, :signature, :nominal, :policy, :state, :from_block, :accepted_at, :due_at, :attempts, :transaction_id,
      :transaction_hash, :log_index, :block_number, :block_hash, :failure, :last_error, :top_up, :opening, :stands, :payer_code)`,
  update: `
    UPDATE redemptions SET state = :state, due_at = :due_at, attempts = :attempts, transaction_id = :transaction_id,
      transaction_hash = :transaction_hash, log_index = :log_index, block_number = :block_number,
      block_hash = :block_hash, failure = :failure, last_error = :last_error, top_up = :top_up, stands = :stands
    WHERE key = :key`,
}
const q = redemptionQueries

export async function readRedemption(rows: Rows, key: string): Promise<Redemption | null> {
  const row = await rows.get(q.byKey, { key })
  return row ? redemptionFrom(row) : null
}

/** The redemption with its grant. */
export async function readRedeemed(rows: Rows, key: string): Promise<Redeemed | null> {
  const redemption = await readRedemption(rows, key)
  const grant = redemption && (await readGrant(rows, redemption.grantId))
  return redemption && grant ? { redemption, grant } : null
}

/** The payment a grant stands on: the newest that gave it something. */
export async function readCurrent(rows: Rows, grantId: string): Promise<Redemption | null> {
  const row = await rows.get(q.currentOfGrant, { grantId })
  return row ? redemptionFrom(row) : null
}

/** Every payment for a grant, oldest first. */
export async function readPayments(rows: Rows, grantId: string): Promise<readonly Redemption[]> {
  return (await rows.all(q.ofGrant, { grantId })).map(redemptionFrom)
}

/** Stores the row, and changes with it the counters of it. */
export async function saveRedemption(
  rows: Rows,
  before: Redemption | null,
  after: Redemption,
  at: number,
): Promise<void> {
  if (before) await rows.run(q.update, movingColumnsOf(after))
  else await rows.run(q.insert, { ...fixedColumnsOf(after), ...movingColumnsOf(after) })
  await countRedemption(rows, before, after, at)
}

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
  payerCode: textOrNull<Hex>(row.payer_code),
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

/** Columns that never change. */
const fixedColumnsOf = (redemption: Redemption) => ({
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
  payer_code: redemption.payerCode,
  from_block: redemption.fromBlock,
  accepted_at: redemption.acceptedAt,
  opening: redemption.topUp?.opening ?? null,
})

const movingColumnsOf = (redemption: Redemption) => ({
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
