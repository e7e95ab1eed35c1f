/**
 * Checks the invariants of a database and its chain, which must hold after any kill (security.md §4.3, I1 to
 * I9).
 */
import Database from "better-sqlite3"
import { brokenLine, judgeDoubles, judgeExposure, judgeRow } from "../../server/core/invariants.ts"
import { isSettled, isUnsettled, type RedemptionState } from "../../server/core/redemption.ts"
import { createRows } from "../../server/stores/sqlite/rows.ts"
import { books, doubles, exposure } from "../../server/stores/verbs/books.ts"
import type { Hex } from "../../shared/values/evm.ts"
import type { LocalChain } from "./chain/local-chain.ts"

export type Findings = {
  /** One line for each broken invariant, beginning with its number. */
  readonly broken: readonly string[]
  readonly redemptions: number
  readonly paid: number
  /** Redemptions whose settlement has no final state yet. */
  readonly open: number
  /** Atomic units: the sum that the ledger calls settled, and the sum that arrived. */
  readonly owed: bigint
  readonly received: bigint
  /** Transfers to payTo beyond one for each redemption. */
  readonly settledTwice: number
}

type Row = Record<string, string | number | null>

const isPaid = (row: Row): boolean => isSettled(row.state as RedemptionState)

/**
 * Reads the file, also while services write to it, but no sale may begin meanwhile. `payTo` must receive
 * payments of this database only.
 */
export async function checkInvariants(file: string, chain: LocalChain, payTo: Hex): Promise<Findings> {
  const db = new Database(file, { readonly: true, fileMustExist: true })
  try {
    const rows: Rows = (sql) => db.prepare<[], Row>(sql).all()
    // The database is read before the chain: a transfer that it calls paid must then be on the chain.
    const redemptions = rows("SELECT * FROM redemptions")
    const transfers = await transfersTo(chain, payTo)
    const paid = redemptions.filter(isPaid)
    const settledTwice = surplus(redemptions, transfers)
    return {
      broken: [
        ...(await checkLedger(file)),
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

/** Checks the invariants that need no chain, with the product's own code; they hold at every moment. */
export async function checkLedger(file: string): Promise<readonly string[]> {
  const db = new Database(file, { readonly: true, fileMustExist: true })
  db.defaultSafeIntegers(true)
  try {
    const rows = createRows(db)
    // One snapshot, until the handle is closed.
    db.exec("BEGIN")
    return [
      ...judgeExposure(await exposure(rows)),
      ...judgeDoubles(await doubles(rows)),
      ...(await books(rows, { after: "", limit: everything })).flatMap((row) => judgeRow(row)),
    ].map(brokenLine)
  } finally {
    db.close()
  }
}

const everything = 1_000_000

type Rows = (sql: string) => readonly Row[]

type Transfer = {
  readonly payer: string
  readonly value: bigint
  readonly hash: string
  readonly logIndex: number
}

/** Every paid row has its own Transfer on the chain, and every Transfer has a row. */
function ofChain(redemptions: readonly Row[], transfers: readonly Transfer[]): string[] {
  const paid = redemptions.filter(isPaid)
  const byLog = new Map(transfers.map((transfer) => [`${transfer.hash} ${transfer.logIndex}`, transfer]))
  const unproven = paid.filter((row) => {
    const transfer = byLog.get(`${row.transaction_hash} ${row.log_index}`)
    return transfer?.payer !== row.payer || transfer?.value !== BigInt(row.value ?? 0)
  })
  const payers = new Set(redemptions.map((row) => String(row.payer)))
  const unknown = transfers.filter((transfer) => !payers.has(transfer.payer))
  return [
    ...unproven.map((row) => `I4: ${row.key} is called paid without its transfer`),
    ...unknown.map((transfer) => `I9: ${transfer.hash} pays for no sale`),
  ]
}

/** Counts the transfers of each payer beyond the payer's purchases. */
function surplus(redemptions: readonly Row[], transfers: readonly Transfer[]): number {
  const left = new Map<string, number>()
  for (const row of redemptions) left.set(String(row.payer), (left.get(String(row.payer)) ?? 0) + 1)
  for (const { payer } of transfers) left.set(payer, (left.get(payer) ?? 0) - 1)
  return [...left.values()].reduce((total, each) => total + Math.max(0, -each), 0)
}

/** Every nonce that a relayer used on the chain belongs to a transaction that was stored first. */
async function ofRelayer(rows: Rows, chain: LocalChain): Promise<string[]> {
  // The chain is read before the database, and the receipts last: every nonce used by then is stored and in a
  // block.
  const used = new Map<string, number>()
  for (const { relayer } of rows("SELECT DISTINCT relayer FROM transactions"))
    used.set(String(relayer), Number(await chain.request("eth_getTransactionCount", [relayer, "latest"])))
  const mined = new Set<string>()
  const versions =
    "SELECT relayer, nonce, hash FROM versions JOIN transactions ON transactions.id = transaction_id"
  for (const { relayer, nonce, hash } of rows(versions))
    if ((await chain.request("eth_getTransactionReceipt", [hash])) !== null) mined.add(`${relayer} ${nonce}`)
  return [...used].flatMap(([relayer, count]) =>
    Array.from({ length: count }, (_, nonce) => nonce)
      .filter((nonce) => !mined.has(`${relayer} ${nonce}`))
      .map((nonce) => `I5: nonce ${nonce} of ${relayer} was used by a transaction that was not stored`),
  )
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
