/** Counts and sums for the metrics: payments by state, grants that live, payers. */
import type { Address } from "../../../shared/values/evm.ts"
import type { RedemptionState, SettlePolicy } from "../../core/redemption.ts"
import type { PaymentSum, Population } from "../../ports/records.ts"
import { integer, text } from "../records/columns.ts"
import type { Row, Rows } from "../records/rows.ts"
import { limbColumns, limbsOf } from "../records/sums.ts"

export const figureQueries = {
  paymentSums: `
    SELECT network, asset, state, policy, count(*) AS payments, ${limbColumns("value")} FROM redemptions
    WHERE id > :after AND id <= :until GROUP BY network, asset, state, policy`,
  lastPayment: "SELECT coalesce(max(id), 0) AS id FROM redemptions",
  livingGrants: `
    SELECT paid, count(*) AS grants FROM grants
    WHERE expires_at > :now AND end_reason IS NULL AND token_jti IS NOT NULL AND parent IS NULL GROUP BY paid`,
  settledPayers: `
    SELECT count(*) AS payers, CAST(coalesce(sum(settled), 0) AS BIGINT) AS payments FROM payers WHERE settled > 0`,
}
const q = figureQueries

export async function paymentSums(
  rows: Rows,
  { after, limit }: { after: number; limit: number },
): Promise<{ sums: readonly PaymentSum[]; next: number | null }> {
  const until = after + limit
  const sums = (await rows.all(q.paymentSums, { after, until })).map(sumFrom)
  const last = integer((await rows.get(q.lastPayment))?.id)
  return { sums, next: last > until ? until : null }
}

export async function population(rows: Rows, { now }: { now: number }): Promise<Population> {
  const grants = await rows.all(q.livingGrants, { now })
  const livingOf = (paid: number) => integer(grants.find((row) => integer(row.paid) === paid)?.grants ?? 0n)
  const settled = await rows.get(q.settledPayers)
  return {
    paidGrants: livingOf(1),
    freeGrants: livingOf(0),
    payers: integer(settled?.payers),
    settledPayments: integer(settled?.payments),
  }
}

const sumFrom = (row: Row): PaymentSum => ({
  network: text(row.network),
  asset: text<Address>(row.asset),
  state: text<RedemptionState>(row.state),
  policy: text<SettlePolicy>(row.policy),
  payments: integer(row.payments),
  value: limbsOf(row),
})
