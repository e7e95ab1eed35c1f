/** The verbs of grants that end with their use, on SQLite. */
import type BetterSqlite3 from "better-sqlite3"
import type { Grant } from "../../core/grant.ts"
import {
  allowance,
  comingBackSince,
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
import { creditedFacts } from "../verbs/rules.ts"
import type { UnitVerb, Verbs } from "../verbs/verb-list.ts"
import type { Records } from "./records.ts"
import { family, integer, type Row, text } from "./rows.ts"

export function createUnitVerbs(db: BetterSqlite3.Database, records: Records): Pick<Verbs, UnitVerb> {
  const writeMeter = db.prepare(`
    UPDATE grants SET units_given = :given, units_left = :left, units_held = :held, units_spent = :spent
    WHERE id = :id`)
  const sliceById = db.prepare<[number], Row>("SELECT * FROM slices WHERE id = ?")
  const insertSlice = db.prepare(`
    INSERT INTO slices (grant_id, holder, units, spent, unused, taken_at) VALUES (?, ?, ?, 0, 0, ?)`)
  const writeSlice = db.prepare("UPDATE slices SET spent = ?, unused = ? WHERE id = ?")
  const dropSlice = db.prepare("DELETE FROM slices WHERE id = ?")
  const ofOthers = db.prepare<[{ id: string; holder: string; since: number }], Row>(`
    SELECT * FROM slices WHERE grant_id IN ${family} AND holder <> :holder AND taken_at >= :since`)

  const saveMeter = (id: string, meter: Meter): void => void writeMeter.run({ id, ...meter })

  function lineOf(grantId: string): readonly Grant[] {
    const own = records.grant(grantId)
    const parent = own?.parent ? records.grant(own.parent) : null
    return [own, parent].filter((grant) => grant !== null)
  }

  /** What a call for one of the line counts against. */
  const meteredOf = (line: readonly Grant[]): readonly { readonly id: string; readonly meter: Meter }[] =>
    line.flatMap(({ id, meter }) => (meter ? [{ id, meter }] : []))

  function note(sliceReport: SliceReport): void {
    const row = sliceById.get(sliceReport.sliceId)
    // Without a row all was said before.
    if (!row) return
    const slice = sliceFrom(row)
    for (const { id, meter } of meteredOf(lineOf(slice.grantId)))
      saveMeter(id, report(meter, slice, sliceReport))
    const after = noted(slice, sliceReport)
    if (openUnits(after) === 0) dropSlice.run(slice.id)
    else writeSlice.run(after.spent, after.unused, slice.id)
  }

  const openElsewhere = (id: string, holder: string, now: number): number =>
    ofOthers
      .all({ id, holder, since: comingBackSince(now) })
      .reduce((total, row) => total + openUnits(sliceFrom(row)), 0)

  return {
    takeUnits({ grantId, holder, cost, reports, now }) {
      reports.forEach(note)
      const line = lineOf(grantId)
      const metered = meteredOf(line)
      const [nearest] = metered
      if (!nearest) return { slice: null, given: 0, left: 0, elsewhere: 0 }
      const { left, elsewhere } = allowance(
        metered.map(({ id, meter }) => ({ meter, elsewhere: openElsewhere(id, holder, now) })),
      )
      const { given } = nearest.meter
      const units = line.some(({ ended }) => ended) ? 0 : sliceSize(left, cost)
      if (units === 0) return { slice: null, given, left, elsewhere }
      for (const { id, meter } of metered) saveMeter(id, take(meter, units))
      const { lastInsertRowid } = insertSlice.run(grantId, holder, units, now)
      return { slice: { id: Number(lastInsertRowid), units }, given, left: left - units, elsewhere }
    },

    reportUnits({ reports }) {
      reports.forEach(note)
    },

    creditUnits({ grantId, units, note: words, now }) {
      const grant = records.grant(grantId)
      if (!grant?.meter) return null
      const meter = give(grant.meter, units)
      saveMeter(grantId, meter)
      const key = records.redemptionFor(grantId)?.key ?? null
      records.book("credited", grantId, key, creditedFacts(units, words), now)
      return meter
    },
  }
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
