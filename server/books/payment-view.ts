/** Shows stored payments to operators: every fact but the signature, which is money until it is settled. */
import type { Redemption } from "../core/redemption.ts"
import type { RedemptionHistory, RelayTransaction } from "../ports/records.ts"

/** Amounts, times of validity and blocks are decimal strings; other times are seconds. */
export const paymentView = ({ transfer, evidence, ...row }: Redemption) => ({
  key: row.key,
  grant: row.grantId,
  state: row.state,
  network: row.network,
  asset: row.asset,
  payer: transfer.payer,
  value: transfer.value.toString(),
  validBefore: transfer.validBefore.toString(),
  acceptedAt: row.acceptedAt,
  dueAt: row.dueAt,
  attempts: row.attempts,
  lastError: row.lastError,
  failure: row.failure,
  evidence: evidence && { ...evidence, blockNumber: evidence.blockNumber.toString() },
})

/** A payment with every transaction it ever rode in, and every entry of the ledger on it. */
export const historyView = ({ redemption, transactions, entries }: RedemptionHistory) => ({
  ...paymentView(redemption),
  transactions: transactions.map(transactionView),
  entries: entries.map(({ sequence, at, kind, facts }) => ({ sequence, at, kind, facts })),
})

const transactionView = ({ relayer, nonce, state, storedAt, sentAt, versions }: RelayTransaction) => ({
  relayer,
  nonce,
  state,
  storedAt,
  sentAt,
  versions: versions.map(({ hash, maxFeePerGas, maxPriorityFeePerGas }) => ({
    hash,
    maxFeePerGas: maxFeePerGas.toString(),
    maxPriorityFeePerGas: maxPriorityFeePerGas.toString(),
  })),
})
