/** Lends the units of counted grants to gates in slices, and records their use. */
import type { Grant } from "../../core/grant.ts"
import { creditedFact, type Operator } from "../../core/ledger-facts.ts"
import {
  allowance,
  comingBackSince,
  type Demand,
  give,
  type Meter,
  noted,
  openUnits,
  report,
  type Slice,
  type SliceReport,
  sliceSize,
  take,
} from "../../core/units.ts"
import type { UnitsTaken } from "../../ports/records.ts"
import { integer, text } from "../records/columns.ts"
import { family, readGrant } from "../records/grants.ts"
import { book } from "../records/ledger.ts"
import { readCurrent } from "../records/redemptions.ts"
import type { Row, Rows } from "../records/rows.ts"
import { runsBeside } from "./instances.ts"

export const unitQueries = {
  setMeter: `
    UPDATE grants SET units_given = :given, units_left = :left, units_held = :held, units_spent = :spent
    WHERE id = :id`,
  slice: "SELECT * FROM slices WHERE id = :id",
  insertSlice: `
    INSERT INTO slices (grant_id, holder, units, spent, unused, taken_at) VALUES (:grantId, :holder, :units, 0, 0, :now)
    RETURNING id`,
  setSlice: "UPDATE slices SET spent = :spent, unused = :unused WHERE id = :id",
  dropSlice: "DELETE FROM slices WHERE id = :id",
  slicesOfOthers: `
    SELECT * FROM slices WHERE grant_id IN ${family} AND holder <> :holder AND taken_at >= :since`,
}
const q = unitQueries

export async function takeUnits(
  rows: Rows,
  {
    grantId,
    holder,
    cost,
    wanted,
    reports,
    now,
  }: Parameters<typeof reportUnits>[1] & {
    grantId: string
    holder: string
    now: number
  } & Demand,
): Promise<UnitsTaken> {
  await reportUnits(rows, { reports })
  const line = await readLine(rows, grantId)
  const metered = meteredOf(line)
  const [nearest] = metered
  if (!nearest) return { slice: null, given: 0, left: 0, elsewhere: 0 }
  const draws: { meter: Meter; elsewhere: number }[] = []
  for (const { id, meter } of metered)
    draws.push({ meter, elsewhere: await openElsewhere(rows, id, holder, now) })
  const { left, elsewhere } = allowance(draws)
  const { given } = nearest.meter
  const units = line.some(({ ended }) => ended)
    ? 0
    : sliceSize(left, { cost, wanted }, !(await runsBeside(rows, holder, now)))
  if (units === 0) return { slice: null, given, left, elsewhere }
  for (const { id, meter } of metered) await saveMeter(rows, id, take(meter, units))
  const row = await rows.get(q.insertSlice, { grantId, holder, units, now })
  return { slice: { id: integer(row?.id), units }, given, left: left - units, elsewhere }
}

export async function reportUnits(
  rows: Rows,
  { reports }: { reports: readonly SliceReport[] },
): Promise<void> {
  for (const each of reports) await note(rows, each)
}

export async function creditUnits(
  rows: Rows,
  { grantId, units, now, ...author }: { grantId: string; units: number; now: number } & Operator,
): Promise<Meter | null> {
  const grant = await readGrant(rows, grantId)
  if (!grant?.meter) return null
  const meter = give(grant.meter, units)
  await saveMeter(rows, grantId, meter)
  const redemptionKey = (await readCurrent(rows, grantId))?.key ?? null
  await book(rows, creditedFact(units, author), { grantId, redemptionKey }, now)
  return meter
}

async function saveMeter(rows: Rows, id: string, meter: Meter): Promise<void> {
  await rows.run(q.setMeter, { id, ...meter })
}

/** The grant, and the one it was derived from. */
async function readLine(rows: Rows, grantId: string): Promise<readonly Grant[]> {
  const own = await readGrant(rows, grantId)
  const parent = own?.parent ? await readGrant(rows, own.parent) : null
  return [own, parent].filter((grant) => grant !== null)
}

/** The meters that a call for one of the line counts against. */
const meteredOf = (line: readonly Grant[]): readonly { readonly id: string; readonly meter: Meter }[] =>
  line.flatMap(({ id, meter }) => (meter ? [{ id, meter }] : []))

async function note(rows: Rows, sliceReport: SliceReport): Promise<void> {
  const row = await rows.get(q.slice, { id: sliceReport.sliceId })
  // No row: the slice is already fully reported.
  if (!row) return
  const slice = sliceFrom(row)
  for (const { id, meter } of meteredOf(await readLine(rows, slice.grantId)))
    await saveMeter(rows, id, report(meter, slice, sliceReport))
  const { id, spent, unused, units } = noted(slice, sliceReport)
  if (openUnits({ units, spent, unused }) === 0) await rows.run(q.dropSlice, { id })
  else await rows.run(q.setSlice, { spent, unused, id })
}

/** Units in slices of other processes that may still come back. */
async function openElsewhere(rows: Rows, id: string, holder: string, now: number): Promise<number> {
  const slices = await rows.all(q.slicesOfOthers, { id, holder, since: comingBackSince(now) })
  return slices.reduce((total, row) => total + openUnits(sliceFrom(row)), 0)
}

const sliceFrom = (row: Row): Slice => ({
  id: integer(row.id),
  grantId: text(row.grant_id),
  holder: text(row.holder),
  units: integer(row.units),
  spent: integer(row.spent),
  unused: integer(row.unused),
  takenAt: integer(row.taken_at),
})
