/** The relayer's nonces and transactions: each is stored before its bytes are sent. */
import type { Address, Hex } from "../../../shared/values/evm.ts"
import type { Call } from "../../core/batch.ts"
import { ride } from "../../core/redemption.ts"
import type { InFlight, RelayTransaction, SignedBytes } from "../../ports/records.ts"
import { integer } from "../records/columns.ts"
import { readRedemption, redemptionFrom, saveRedemption } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"
import { addVersion, readTransaction } from "../records/transactions.ts"
import { requireFence } from "./lease.ts"

export const transactionVerbQueries = {
  nonce: "SELECT next FROM nonces WHERE network = :network AND relayer = :relayer",
  setNonce: `
    INSERT INTO nonces (network, relayer, next) VALUES (:network, :relayer, :next)
    ON CONFLICT (network, relayer) DO UPDATE SET next = excluded.next`,
  byId: "SELECT * FROM transactions WHERE id = :id",
  byNonce: "SELECT * FROM transactions WHERE network = :network AND relayer = :relayer AND nonce = :nonce",
  open: `
    SELECT * FROM transactions WHERE network = :network AND state IN ('signed', 'broadcast') ORDER BY nonce, id`,
  riding: "SELECT * FROM redemptions WHERE transaction_id = :id ORDER BY id",
  insert: `
    INSERT INTO transactions (network, relayer, nonce, state, recipient, data, gas, stored_at)
    VALUES (:network, :relayer, :nonce, 'signed', :to, :data, :gas, :now)`,
  addRide: "INSERT INTO rides (redemption_key, transaction_id) VALUES (:key, :id)",
  renew: "UPDATE transactions SET recipient = :to, data = :data, gas = :gas, stored_at = :now WHERE id = :id",
  setBroadcast: "UPDATE transactions SET state = 'broadcast', sent_at = :now WHERE id = :id",
  setDone: "UPDATE transactions SET state = 'done' WHERE id = :id",
  reopen: "UPDATE transactions SET state = 'broadcast', stored_at = :now WHERE id = :id",
}
const q = transactionVerbQueries

type OfNetwork = { readonly fence: number; readonly network: string }
type OfRelayer = OfNetwork & { readonly relayer: Address }

export async function nextNonce(
  rows: Rows,
  { fence, network, relayer, chainNonce }: OfRelayer & { chainNonce: number },
): Promise<{ nonce: number; skipped: number }> {
  await requireFence(rows, fence)
  const before = await readNonce(rows, network, relayer)
  const nonce = Math.max(before ?? 0, chainNonce)
  await rows.run(q.setNonce, { network, relayer, next: nonce })
  return { nonce, skipped: nonce - (before ?? nonce) }
}

export async function prepare(
  rows: Rows,
  {
    fence,
    version,
    redemptions,
    ...input
  }: OfRelayer & {
    nonce: number
    to: Address
    data: Hex
    gas: bigint
    version: SignedBytes
    redemptions: readonly string[]
    now: number
  },
): Promise<RelayTransaction> {
  await requireFence(rows, fence)
  const { network, relayer, nonce, now } = input
  const next = (await readNonce(rows, network, relayer)) ?? 0
  const fills =
    nonce < next && redemptions.length === 0 && !(await rows.get(q.byNonce, { network, relayer, nonce }))
  if (nonce !== next && !fills) throw new Error(`found nonce ${nonce}, wanted the next one, ${next}`)
  if (!fills) await rows.run(q.setNonce, { network, relayer, next: next + 1 })
  await rows.run(q.insert, { ...input, gas: input.gas.toString() })
  // Not by RETURNING: with it SQLite looks for rides of the new row, through all rides.
  const id = integer((await rows.get(q.byNonce, { network, relayer, nonce }))?.id)
  await addVersion(rows, id, version)
  for (const key of redemptions) await addRide(rows, key, id, network, now)
  return transactionOf(rows, id)
}

async function addRide(rows: Rows, key: string, id: number, network: string, now: number): Promise<void> {
  const row = await readRedemption(rows, key)
  if (!row) throw new Error(`there is no redemption ${key}`)
  if (row.network !== network) throw new Error(`there is no redemption on ${network} ${key}`)
  await saveRedemption(rows, row, ride(row, id), now)
  await rows.run(q.addRide, { key, id })
}

export async function replace(
  rows: Rows,
  {
    fence,
    transactionId,
    version,
    call,
    now,
  }: { fence: number; transactionId: number; version: SignedBytes; call?: Call; now: number },
): Promise<void> {
  await requireFence(rows, fence)
  const { id, ...before } = await inFlightOf(rows, transactionId)
  const { to, data, gas } = call ?? before
  await addVersion(rows, id, version)
  await rows.run(q.renew, { to, data, gas: gas.toString(), now, id })
}

export async function broadcast(
  rows: Rows,
  { fence, transactionId, now }: { fence: number; transactionId: number; now: number },
): Promise<void> {
  await requireFence(rows, fence)
  const { id } = await inFlightOf(rows, transactionId)
  await rows.run(q.setBroadcast, { now, id })
}

export async function inFlight(rows: Rows, { fence, network }: OfNetwork): Promise<readonly InFlight[]> {
  await requireFence(rows, fence)
  const found: InFlight[] = []
  for (const row of await rows.all(q.open, { network })) {
    const transaction = await readTransaction(rows, row)
    const redemptions = (await rows.all(q.riding, { id: transaction.id })).map(redemptionFrom)
    found.push({ transaction, redemptions })
  }
  return found
}

export async function transactionAt(
  rows: Rows,
  { fence, network, relayer, nonce }: OfRelayer & { nonce: number },
): Promise<RelayTransaction | null> {
  await requireFence(rows, fence)
  const row = await rows.get(q.byNonce, { network, relayer, nonce })
  return row ? readTransaction(rows, row) : null
}

/** The nonce is used up on chain. */
export async function finishTransaction(rows: Rows, id: number): Promise<void> {
  await rows.run(q.setDone, { id: (await transactionOf(rows, id)).id })
}

/** The transaction's block went away: its bytes are to be sent again. */
export async function reopenTransaction(rows: Rows, id: number, now: number): Promise<void> {
  await rows.run(q.reopen, { now, id: (await transactionOf(rows, id)).id })
}

async function readNonce(rows: Rows, network: string, relayer: string): Promise<number | undefined> {
  const row = await rows.get(q.nonce, { network, relayer })
  return row && integer(row.next)
}

async function transactionOf(rows: Rows, id: number): Promise<RelayTransaction> {
  const row = await rows.get(q.byId, { id })
  if (!row) throw new Error(`there is no transaction ${id}`)
  return readTransaction(rows, row)
}

async function inFlightOf(rows: Rows, id: number): Promise<RelayTransaction> {
  const found = await transactionOf(rows, id)
  if (found.state === "done") throw new Error(`transaction ${id} is not in flight`)
  return found
}
