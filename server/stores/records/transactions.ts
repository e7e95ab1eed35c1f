/** Transactions of relayers as rows, each with every version of its bytes. */
import type { Address, Hex } from "../../../shared/values/evm.ts"
import type { RelayTransaction, SignedBytes } from "../../ports/records.ts"
import { amount, integer, integerOrNull, text } from "./columns.ts"
import type { Row, Rows } from "./rows.ts"

export const transactionQueries = {
  versions: "SELECT * FROM versions WHERE transaction_id = :id ORDER BY id",
  insertVersion: `
    INSERT INTO versions (transaction_id, hash, raw, max_fee, max_priority_fee)
    VALUES (:id, :hash, :raw, :maxFee, :maxPriorityFee)`,
}
const q = transactionQueries

/** The transaction of a row, with its versions. */
export async function readTransaction(rows: Rows, row: Row): Promise<RelayTransaction> {
  const id = integer(row.id)
  return {
    id,
    network: text(row.network),
    relayer: text<Address>(row.relayer),
    nonce: integer(row.nonce),
    state: text<RelayTransaction["state"]>(row.state),
    to: text<Address>(row.recipient),
    data: text<Hex>(row.data),
    gas: amount(row.gas),
    versions: (await rows.all(q.versions, { id })).map(versionFrom),
    storedAt: integer(row.stored_at),
    sentAt: integerOrNull(row.sent_at),
  }
}

export async function addVersion(rows: Rows, id: number, version: SignedBytes): Promise<void> {
  await rows.run(q.insertVersion, {
    id,
    hash: version.hash,
    raw: version.raw,
    maxFee: version.maxFeePerGas.toString(),
    maxPriorityFee: version.maxPriorityFeePerGas.toString(),
  })
}

const versionFrom = (row: Row): SignedBytes => ({
  hash: text<Hex>(row.hash),
  raw: text<Hex>(row.raw),
  maxFeePerGas: amount(row.max_fee),
  maxPriorityFeePerGas: amount(row.max_priority_fee),
})
