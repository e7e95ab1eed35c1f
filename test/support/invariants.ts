/** What must hold of a database and its chain whatever happened to the processes (security.md §4.3, I1 to I9). */
import Database from "better-sqlite3"
import type { LocalChain } from "../../scripts/local-chain.ts"
import {
  isSettled,
  isUnsettled,
  queuedStates,
  type RedemptionState,
  settledStates,
  unsettledStates,
} from "../../server/core/redemption.ts"
import { listOf } from "../../server/stores/sqlite-rows.ts"
import type { Hex } from "../../shared/evm.ts"

export type Findings = {
  /** One line for each broken invariant, beginning with its number. */
  readonly broken: readonly string[]
  readonly redemptions: number
  readonly paid: number
  /** Redemptions of which it is not known yet whether they are paid. */
  readonly open: number
  /** Atomic units: of what the ledger calls settled, and of what arrived. */
  readonly owed: bigint
  readonly received: bigint
  /** Transfers to payTo beyond one for each redemption. */
  readonly settledTwice: number
}

type Row = Record<string, string | number | null>

const isPaid = (row: Row): boolean => isSettled(row.state as RedemptionState)

/**
 * Reads the file as it is, also while services work on it, but no sale should begin meanwhile. `payTo` must get nothing
 * but payments of this database.
 */
export async function checkInvariants(file: string, chain: LocalChain, payTo: Hex): Promise<Findings> {
  const db = new Database(file, { readonly: true, fileMustExist: true })
  try {
    const rows: Rows = (sql) => db.prepare<[], Row>(sql).all()
    // The database before the chain: what it calls paid must be there already.
    const { redemptions, ledger } = db.transaction(() => ({
      redemptions: rows("SELECT * FROM redemptions"),
      ledger: ofLedger(rows),
    }))()
    const transfers = await transfersTo(chain, payTo)
    const paid = redemptions.filter(isPaid)
    const settledTwice = surplus(redemptions, transfers)
    return {
      broken: [
        ...ledger,
        ...ofChain(redemptions, transfers),
        ...(await ofRelayer(rows, chain)),
        ...(settledTwice > 0 ? [`I9: ${settledTwice} transfers more than redemptions`] : []),
      ],
      redemptions: redemptions.length,
      paid: paid.length,
      open: redemptions.filter((row) => isUnsettled(row.state as RedemptionState)).length,
      owed: sum(paid.map((row) => BigInt(row.value ?? 0))),
      received: sum(transfers.map((transfer) => transfer.value)),
      settledTwice,
    }
  } finally {
    db.close()
  }
}

/** The invariants that the database tells by itself; quick, and true at every moment. */
export function checkLedger(file: string): readonly string[] {
  const db = new Database(file, { readonly: true, fileMustExist: true })
  try {
    return db.transaction(() => ofLedger((sql) => db.prepare<[], Row>(sql).all()))()
  } finally {
    db.close()
  }
}

type Rows = (sql: string) => readonly Row[]

function ofLedger(rows: Rows): string[] {
  const found = (invariant: string, sql: string): string[] =>
    rows(sql).map((row) => `${invariant}: ${JSON.stringify(row)}`)
  const unsettled = rows(
    `SELECT nominal FROM redemptions WHERE policy = 'background' AND state IN (${listOf(unsettledStates)})`,
  )
  const lost = rows("SELECT nominal FROM losses")
  const exposure = sum(unsettled.map((row) => BigInt(row.nominal ?? 0)))
  const queued = rows(`SELECT 1 FROM redemptions WHERE state IN (${listOf(queuedStates)})`).length
  const [totals] = rows("SELECT unsettled, lost, queued FROM totals")
  return [
    ...found("I1 a second row of a key", "SELECT key FROM redemptions GROUP BY key HAVING count(*) > 1"),
    ...found(
      "I1 a second row of a nonce",
      "SELECT nonce FROM redemptions GROUP BY network, asset, payer, nonce HAVING count(*) > 1",
    ),
    ...found(
      "I2 a paid grant without a redemption",
      "SELECT id FROM grants WHERE paid = 1 AND id NOT IN (SELECT grant_id FROM redemptions)",
    ),
    ...found(
      "I2 a token of a settle-first payment that is not in",
      `SELECT key FROM redemptions JOIN grants ON grants.id = grant_id
       WHERE policy = 'first' AND token_jti IS NOT NULL AND NOT EXISTS
         (SELECT 1 FROM entries WHERE redemption_key = key AND kind = 'settled')`,
    ),
    ...found(
      "I2 a redemption that is not in the ledger once",
      `SELECT key FROM redemptions
       WHERE (SELECT count(*) FROM entries WHERE redemption_key = key AND kind = 'redeemed') <> 1`,
    ),
    ...(BigInt(totals?.unsettled ?? 0) === exposure &&
    BigInt(totals?.lost ?? 0) === sum(lost.map((row) => BigInt(row.nominal ?? 0))) &&
    totals?.queued === queued
      ? []
      : [`I3: totals say ${JSON.stringify(totals)}, the rows ${exposure} and ${queued}`]),
    ...found(
      "I4 a payment is settled without an entry, or with two",
      `SELECT key FROM redemptions
       WHERE (state IN (${listOf(settledStates)})) IS NOT coalesce((SELECT kind = 'settled' FROM entries
         WHERE redemption_key = key AND kind IN ('settled', 'reopened', 'failed')
         ORDER BY sequence DESC LIMIT 1), 0)
       OR (SELECT count(*) FROM entries WHERE redemption_key = key AND kind = 'settled')
        > (SELECT count(*) FROM entries WHERE redemption_key = key AND kind = 'reopened') + 1`,
    ),
    ...found(
      "I4 two payments of one transfer",
      `SELECT transaction_hash FROM redemptions WHERE transaction_hash IS NOT NULL
       GROUP BY network, transaction_hash, log_index HAVING count(*) > 1`,
    ),
    ...found(
      "I5 a nonce of two transactions, or a transaction without bytes",
      `SELECT nonce FROM transactions GROUP BY network, relayer, nonce HAVING count(*) > 1
       UNION SELECT nonce FROM transactions WHERE id NOT IN (SELECT transaction_id FROM versions)`,
    ),
    ...found(
      "I6 a failed payment with a living grant",
      `SELECT key FROM redemptions JOIN grants ON grants.id = grant_id
       WHERE state = 'failed' AND (end_reason IS NULL OR end_reason = 'settlement_failed' AND NOT EXISTS
         (SELECT 1 FROM entries WHERE entries.grant_id = grants.id AND kind = 'ended'))`,
    ),
    ...found(
      "I8 an open payment that nobody will pick up",
      `SELECT key FROM redemptions LEFT JOIN transactions ON transactions.id = transaction_id
       WHERE (redemptions.state = 'accepted' AND due_at IS NULL)
          OR (redemptions.state = 'sent' AND coalesce(transactions.state, 'done') = 'done')`,
    ),
  ]
}

type Transfer = {
  readonly payer: string
  readonly value: bigint
  readonly hash: string
  readonly logIndex: number
}

/** Every row called paid has its own Transfer on the chain, and no Transfer is without a row. */
function ofChain(redemptions: readonly Row[], transfers: readonly Transfer[]): string[] {
  const paid = redemptions.filter(isPaid)
  const byLog = new Map(transfers.map((transfer) => [`${transfer.hash} ${transfer.logIndex}`, transfer]))
  const unproven = paid.filter((row) => {
    const transfer = byLog.get(`${row.transaction_hash} ${row.log_index}`)
    return transfer?.payer !== row.payer || transfer?.value !== BigInt(row.value ?? 0)
  })
  const payers = new Set(redemptions.map((row) => String(row.payer)))
  const strangers = transfers.filter((transfer) => !payers.has(transfer.payer))
  return [
    ...unproven.map((row) => `I4: ${row.key} is called paid without its transfer`),
    ...strangers.map((transfer) => `I9: ${transfer.hash} paid for nothing that was sold`),
  ]
}

/** A payer may buy often, but is never charged more often than he bought. */
function surplus(redemptions: readonly Row[], transfers: readonly Transfer[]): number {
  const left = new Map<string, number>()
  for (const row of redemptions) left.set(String(row.payer), (left.get(String(row.payer)) ?? 0) + 1)
  for (const { payer } of transfers) left.set(payer, (left.get(payer) ?? 0) - 1)
  return [...left.values()].reduce((total, each) => total + Math.max(0, -each), 0)
}

/** Whatever the relayer sent that is in a block was stored before. */
async function ofRelayer(rows: Rows, chain: LocalChain): Promise<string[]> {
  const relayers = new Set(
    rows("SELECT DISTINCT relayer FROM transactions").map((row) => String(row.relayer)),
  )
  const head = Number(await chain.request("eth_blockNumber"))
  const mined: string[] = []
  for (let number = 0; number <= head; number++) {
    const block = (await chain.request("eth_getBlockByNumber", [`0x${number.toString(16)}`, true])) as {
      transactions: { from: string; hash: string }[]
    }
    for (const { from, hash } of block.transactions)
      if (relayers.has(from.toLowerCase())) mined.push(hash.toLowerCase())
  }
  const stored = new Set(rows("SELECT hash FROM versions").map((row) => String(row.hash)))
  const unknown = mined.filter((hash) => !stored.has(hash))
  return unknown.map((hash) => `I5: ${hash} was sent without being stored`)
}

/** keccak256("Transfer(address,address,uint256)") */
const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

async function transfersTo(chain: LocalChain, payTo: Hex): Promise<readonly Transfer[]> {
  const to = `0x${"0".repeat(24)}${payTo.slice(2).toLowerCase()}`
  const filter = { address: chain.asset, fromBlock: "0x0", topics: [transferTopic, null, to] }
  const logs = (await chain.request("eth_getLogs", [filter])) as {
    topics: string[]
    data: string
    transactionHash: string
    logIndex: string
  }[]
  return logs.map((log) => ({
    payer: `0x${(log.topics[1] ?? "").slice(26)}`,
    value: BigInt(log.data),
    hash: log.transactionHash.toLowerCase(),
    logIndex: Number(log.logIndex),
  }))
}

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n)
