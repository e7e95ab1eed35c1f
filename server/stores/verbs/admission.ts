/** Whether a paying order is admitted, and the row it becomes. */
import { type Admission, admit } from "../../core/exposure.ts"
import { isCodePayerPaused } from "../../core/failed-gas.ts"
import { type Redemption, type SettlePolicy, voidStates } from "../../core/redemption.ts"
import type { PaymentOrder } from "../../ports/records.ts"
import { amount, listOf } from "../records/columns.ts"
import { forgetLosses, readBreaker, readLosers, readPayer, readTotals } from "../records/exposure.ts"
import { readFailedTries } from "../records/failed-tries.ts"
import type { Rows } from "../records/rows.ts"

const pendingOf = (condition: string) => `
  SELECT value FROM redemptions WHERE network = :network AND asset = :asset AND payer = :payer
    AND ${condition} AND state NOT IN (${listOf(voidStates)})`
export const admissionQueries = {
  // Two look-ups: an OR would not use the index.
  pending: `${pendingOf("block_number IS NULL")} UNION ALL ${pendingOf("block_number > :block")}`,
}
const q = admissionQueries

/** Decides by the exposure of this moment, so the order must be stored in the same transaction. */
export async function admitOrder(rows: Rows, order: PaymentOrder): Promise<Admission> {
  const { network, asset, transfer, intake } = order
  const { payer } = transfer
  const pending = await rows.all(q.pending, { network, asset, payer, block: intake.blockNumber })
  await forgetLosses(rows, order.now)
  const standing = await readPayer(rows, payer)
  const { payerCode } = intake
  // Only payers with code are paused, so nobody else pays for the look at failed tries.
  if (payerCode !== null) {
    const tries = await readFailedTries(rows, order.now)
    if (isCodePayerPaused(tries, { payer, payerCode }, standing.settled, BigInt(order.limits.failedGas)))
      return { kind: "refused", reason: "contract_payers_paused" }
  }
  const totals = await readTotals(rows)
  return admit(
    {
      policy: order.policy,
      nominal: order.nominal,
      value: transfer.value,
      balance: intake.balance,
      validBefore: transfer.validBefore,
      blockSeconds: order.blockSeconds,
      now: order.now,
    },
    {
      ...totals,
      losers: totals.lost >= order.limits.dailyLoss ? await readLosers(rows) : [],
      // Summed here and not in SQL: SQLite's SUM goes through floats.
      pending: pending.reduce((total, row) => total + amount(row.value), 0n),
      payer: standing,
      breaker: await readBreaker(rows),
    },
    order.limits,
  )
}

export const redemptionOf = (order: PaymentOrder, grantId: string, policy: SettlePolicy): Redemption => ({
  key: order.key,
  grantId,
  network: order.network,
  scheme: order.scheme,
  asset: order.asset,
  transfer: order.transfer,
  nominal: order.nominal,
  policy,
  payerCode: order.intake.payerCode,
  state: "accepted",
  fromBlock: order.intake.blockNumber,
  acceptedAt: order.now,
  // Due at once, also when the clock is set back after the sale.
  dueAt: 0,
  attempts: 0,
  transactionId: null,
  evidence: null,
  failure: null,
  lastError: null,
  topUp: null,
})
