/** Reads the ledger for people and programs: entries by filter, sums of sales, and places that survive restarts. */
import type { Address } from "../../../shared/values/evm.ts"
import type { LedgerEntry } from "../../core/ledger-facts.ts"
import type { LedgerFilter, LedgerPlace } from "../../core/ledger-filter.ts"
import type { RedemptionState } from "../../core/redemption.ts"
import type { SaleSum, SumsRequest } from "../../ports/records.ts"
import { integer, integerOrNull, text, textOrNull } from "../records/columns.ts"
import { entryFrom } from "../records/ledger.ts"
import type { Row, Rows, Values } from "../records/rows.ts"
import { limbColumns, limbsOf } from "../records/sums.ts"

/** Each member that is null selects everything. A range of sequences bounds the time that others wait. */
const selected = `
  entries.sequence > :after AND entries.sequence <= :until
  AND (CAST(:kinds AS TEXT) IS NULL OR :kinds LIKE '% ' || entries.kind || ' %')
  AND (CAST(:network AS TEXT) IS NULL OR entries.network = :network)
  AND (CAST(:asset AS TEXT) IS NULL OR entries.asset = :asset)
  AND (CAST(:payer AS TEXT) IS NULL OR entries.payer = :payer)
  AND (CAST(:grant AS TEXT) IS NULL OR entries.grant_id = :grant)
  AND (CAST(:offer AS TEXT) IS NULL OR entries.offer = :offer
    OR substr(entries.offer, 1, length(:offer) + 1) = :offer || '@')
  AND (CAST(:from AS BIGINT) IS NULL OR entries.at >= :from)
  AND (CAST(:to AS BIGINT) IS NULL OR entries.at < :to)
  AND (CAST(:state AS TEXT) IS NULL
    OR EXISTS (SELECT 1 FROM redemptions WHERE key = entries.redemption_key AND state = :state))`

export const ledgerPageQueries = {
  page: `SELECT * FROM entries WHERE ${selected} ORDER BY entries.sequence LIMIT :limit`,
  // Each payment has one of these entries, at its sale or its import.
  sums: `
    SELECT redemptions.state, entries.network, entries.asset,
      CASE :by WHEN 'offer' THEN entries.offer WHEN 'payer' THEN entries.payer WHEN 'network' THEN entries.network
        WHEN 'asset' THEN entries.asset ELSE NULL END AS name,
      entries.at - entries.at % CAST(:per AS BIGINT) AS since,
      count(*) AS payments, ${limbColumns("redemptions.value")}
    FROM entries JOIN redemptions ON redemptions.key = entries.redemption_key
    WHERE entries.kind IN ('redeemed', 'imported') AND ${selected}
    GROUP BY 1, 2, 3, 4, 5`,
  newest: `
    SELECT generation, (SELECT coalesce(max(sequence), 0) FROM entries) AS sequence FROM identity`,
  firstOf: "SELECT min(sequence) AS sequence FROM entries WHERE at >= :from",
  // `later` is null for the newest generation, which has no end yet.
  endOf: `
    SELECT (SELECT next.since FROM generations AS next WHERE next.number > generations.number
      ORDER BY next.number LIMIT 1) AS later
    FROM generations WHERE generation = :generation`,
}
const q = ledgerPageQueries

/** Sequences after the first up to the second, inclusive. */
type Range = { readonly after: number; readonly until: number }

export async function ledger(
  rows: Rows,
  { filter, after, until, limit }: Range & { filter: LedgerFilter; limit: number },
): Promise<readonly LedgerEntry[]> {
  return (await rows.all(q.page, { ...valuesOf(filter), after, until, limit })).map(entryFrom)
}

export async function sums(
  rows: Rows,
  { filter, after, until, by, per }: Range & SumsRequest,
): Promise<readonly SaleSum[]> {
  return (await rows.all(q.sums, { ...valuesOf(filter), after, until, by, per })).map(sumFrom)
}

export async function newest(rows: Rows): Promise<LedgerPlace> {
  const row = await rows.get(q.newest)
  return { generation: text(row?.generation), sequence: integer(row?.sequence) }
}

export async function firstSince(rows: Rows, { from }: { from: number }): Promise<number | null> {
  return integerOrNull((await rows.get(q.firstOf, { from }))?.sequence ?? null)
}

export async function resume(rows: Rows, { generation, sequence }: LedgerPlace): Promise<number | null> {
  const row = await rows.get(q.endOf, { generation })
  if (!row) return null
  // Entries of a generation that was lost with a restored backup had numbers that mean others now.
  const end = integerOrNull(row.later) ?? (await newest(rows)).sequence
  return sequence <= end ? sequence : null
}

const valuesOf = (filter: LedgerFilter): Values => ({
  kinds: filter.kinds ? ` ${filter.kinds.join(" ")} ` : null,
  state: filter.state ?? null,
  network: filter.network ?? null,
  asset: filter.asset ?? null,
  payer: filter.payer ?? null,
  grant: filter.grant ?? null,
  offer: filter.offer ?? null,
  from: filter.from ?? null,
  to: filter.to ?? null,
})

const sumFrom = (row: Row): SaleSum => ({
  state: text<RedemptionState>(row.state),
  network: text(row.network),
  asset: text<Address>(row.asset),
  name: textOrNull(row.name),
  since: integerOrNull(row.since),
  payments: integer(row.payments),
  value: limbsOf(row),
})
