/** Keeps counters of unsettled and lost value, in total and of each payer; they change with the rows. */
import {
  type Breaker,
  changeOf,
  type Exposure,
  type Loser,
  lossWindowSeconds,
  trippedAt,
} from "../../core/exposure.ts"
import type { Loss } from "../../core/invariants.ts"
import type { Redemption } from "../../core/redemption.ts"
import { amount, integer, text } from "./columns.ts"
import type { Rows } from "./rows.ts"

export const exposureQueries = {
  totals: "SELECT unsettled, lost, queued FROM totals",
  setTotals: "UPDATE totals SET unsettled = :unsettled, lost = :lost, queued = :queued",
  payer: "SELECT unsettled, open, settled, failed FROM payers WHERE address = :address",
  setPayer: `
    INSERT INTO payers (address, unsettled, open, settled, failed)
    VALUES (:address, :unsettled, :open, :settled, :failed)
    ON CONFLICT (address) DO UPDATE SET unsettled = excluded.unsettled, open = excluded.open,
      settled = excluded.settled, failed = excluded.failed`,
  breaker: "SELECT last_loss_at, minute, probes FROM breaker",
  setBreaker: "UPDATE breaker SET last_loss_at = :lastLossAt, minute = :minute, probes = :probes",
  addLoss: "INSERT INTO losses (redemption_key, at, nominal) VALUES (:key, :at, :nominal)",
  dropLoss: "DELETE FROM losses WHERE redemption_key = :key RETURNING nominal",
  losses: "SELECT redemption_key, nominal FROM losses ORDER BY at, redemption_key",
  losers: `
    SELECT payers.address AS payer, losses.nominal, payers.settled FROM losses
    JOIN redemptions ON redemptions.key = losses.redemption_key JOIN payers ON payers.address = redemptions.payer`,
  // A suspended payment is a loss until its outcome is known.
  oldLosses: `
    SELECT redemption_key FROM losses WHERE at <= :until
      AND NOT EXISTS (SELECT 1 FROM redemptions WHERE key = redemption_key AND state = 'suspended')`,
}
const q = exposureQueries

/** One entry for each payer with losses. */
export async function readLosers(rows: Rows): Promise<readonly Loser[]> {
  const found = new Map<string, Loser>()
  for (const row of await rows.all(q.losers)) {
    const payer = text(row.payer)
    const nominal = (found.get(payer)?.nominal ?? 0n) + amount(row.nominal)
    found.set(payer, { nominal, isFunded: integer(row.settled) > 0 })
  }
  return [...found.values()]
}

type Totals = Pick<Exposure, "unsettled" | "lost" | "queued">

export async function readTotals(rows: Rows): Promise<Totals> {
  const row = await rows.get(q.totals)
  return { unsettled: amount(row?.unsettled), lost: amount(row?.lost), queued: integer(row?.queued) }
}

export async function readPayer(rows: Rows, address: string): Promise<Exposure["payer"]> {
  const row = await rows.get(q.payer, { address })
  if (!row) return { unsettled: 0n, open: 0, settled: 0, failed: 0 }
  return {
    unsettled: amount(row.unsettled),
    open: integer(row.open),
    settled: integer(row.settled),
    failed: integer(row.failed),
  }
}

export async function readBreaker(rows: Rows): Promise<Breaker> {
  const row = await rows.get(q.breaker)
  return {
    lastLossAt: integer(row?.last_loss_at),
    minute: integer(row?.minute),
    probes: integer(row?.probes),
  }
}

export async function saveBreaker(rows: Rows, { lastLossAt, minute, probes }: Breaker): Promise<void> {
  await rows.run(q.setBreaker, { lastLossAt, minute, probes })
}

/** The losses of the last day, one by one. */
export async function readLosses(rows: Rows): Promise<readonly Loss[]> {
  return (await rows.all(q.losses)).map((row) => ({
    key: text(row.redemption_key),
    nominal: amount(row.nominal),
  }))
}

/** Changes the counters by the difference between the row after and before. */
export async function countRedemption(
  rows: Rows,
  before: Redemption | null,
  after: Redemption,
  at: number,
): Promise<void> {
  const { unsettled, queued, open, settled, failed, lost } = changeOf(before, after)
  if (unsettled !== 0n || queued !== 0) await changeTotals(rows, { unsettled, lost: 0n, queued })
  if (unsettled !== 0n || open !== 0 || settled !== 0 || failed !== 0) {
    const { payer: address } = after.transfer
    const mine = await readPayer(rows, address)
    await rows.run(q.setPayer, {
      address,
      unsettled: (mine.unsettled + unsettled).toString(),
      open: mine.open + open,
      settled: mine.settled + settled,
      failed: mine.failed + failed,
    })
  }
  if (lost > 0n) await addLoss(rows, after.key, lost, at)
  if (lost < 0n) await dropLoss(rows, after.key)
}

async function changeTotals(rows: Rows, change: Totals): Promise<void> {
  const now = await readTotals(rows)
  await rows.run(q.setTotals, {
    unsettled: (now.unsettled + change.unsettled).toString(),
    lost: (now.lost + change.lost).toString(),
    queued: now.queued + change.queued,
  })
}

async function addLoss(rows: Rows, key: string, nominal: bigint, at: number): Promise<void> {
  await rows.run(q.addLoss, { key, at, nominal: nominal.toString() })
  await changeTotals(rows, { unsettled: 0n, lost: nominal, queued: 0 })
  await saveBreaker(rows, trippedAt(at))
}

async function dropLoss(rows: Rows, key: string): Promise<void> {
  const row = await rows.get(q.dropLoss, { key })
  if (row) await changeTotals(rows, { unsettled: 0n, lost: -amount(row.nominal), queued: 0 })
}

/** A loss counts for a day. */
export async function forgetLosses(rows: Rows, now: number): Promise<void> {
  for (const row of await rows.all(q.oldLosses, { until: now - lossWindowSeconds }))
    await dropLoss(rows, text(row.redemption_key))
}
