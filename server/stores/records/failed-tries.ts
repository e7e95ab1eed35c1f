/** Tries on chain that cost gas and did not pay, of the last hour. */
import { type FailedTry, failedGasSeconds } from "../../core/failed-gas.ts"
import type { Redemption } from "../../core/redemption.ts"
import { amount, text, textOrNull } from "./columns.ts"
import type { Rows } from "./rows.ts"

export const failedTryQueries = {
  tries: "SELECT payer, payer_code, gas FROM failed_tries WHERE at > :since",
  addTry: "INSERT INTO failed_tries (at, payer, payer_code, gas) VALUES (:at, :payer, :payerCode, :gas)",
  dropTries: "DELETE FROM failed_tries WHERE at <= :since",
}
const q = failedTryQueries

export async function readFailedTries(rows: Rows, now: number): Promise<readonly FailedTry[]> {
  return (await rows.all(q.tries, { since: now - failedGasSeconds })).map((row) => ({
    payer: text(row.payer),
    payerCode: textOrNull(row.payer_code),
    gas: amount(row.gas),
  }))
}

/** Keeps an hour of tries. */
export async function addFailedTry(rows: Rows, row: Redemption, gas: bigint, at: number): Promise<void> {
  await rows.run(q.dropTries, { since: at - failedGasSeconds })
  const { payer } = row.transfer
  await rows.run(q.addTry, { at, payer, payerCode: row.payerCode, gas: gas.toString() })
}
