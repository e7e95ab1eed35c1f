/** The verbs of grants that end with their use, on SQLite. */
import type BetterSqlite3 from "better-sqlite3"
import {
  comingBackSince,
  give,
  type Meter,
  openUnits,
  report,
  type Slice,
  type SliceReport,
  sliceSize,
  take,
} from "../core/units.ts"
import { creditedFacts } from "./rules.ts"
import type { Records } from "./sqlite-records.ts"
import { integer, type Row, text } from "./sqlite-rows.ts"
import type { UnitVerb, Verbs } from "./verbs.ts"

export function createUnitVerbs(db: BetterSqlite3.Database, records: Records): Pick<Verbs, UnitVerb> {
  const writeMeter = db.prepare(`
    UPDATE grants SET units_given = :given, units_left = :left, units_held = :held, units_spent = :spent
    WHERE id = :id`)
  const sliceById = db.prepare<[number], Row>("SELECT * FROM slices WHERE id = ?")
  const insertSlice = db.prepare(`
    INSERT INTO slices (grant_id, holder, units, spent, unused, taken_at) VALUES (?, ?, ?, 0, 0, ?)`)
  const writeSlice = db.prepare("UPDATE slices SET spent = ?, unused = ? WHERE id = ?")
  const dropSlice = db.prepare("DELETE FROM slices WHERE id = ?")
  const ofOthers = db.prepare<[string, string, number], Row>(
    "SELECT * FROM slices WHERE grant_id = ? AND holder <> ? AND taken_at >= ?",
  )

  const saveMeter = (id: string, meter: Meter): void => void writeMeter.run({ id, ...meter })

  function note(news: SliceReport): void {
    const row = sliceById.get(news.sliceId)
    const slice = row && sliceFrom(row)
    const meter = slice && records.grant(slice.grantId)?.meter
    // Without a row all was said before.
    if (!slice || !meter) return
    const after = report(meter, slice, news)
    saveMeter(slice.grantId, after.meter)
    if (openUnits(after.slice) === 0) dropSlice.run(slice.id)
    else writeSlice.run(after.slice.spent, after.slice.unused, slice.id)
  }

  return {
    takeUnits({ grantId, holder, cost, reports, now }) {
      reports.forEach(note)
      const grant = records.grant(grantId)
      if (!grant?.meter) return { slice: null, given: 0, left: 0, elsewhere: 0 }
      const { meter, ended } = grant
      const elsewhere = ofOthers
        .all(grantId, holder, comingBackSince(now))
        .reduce((total, row) => total + openUnits(sliceFrom(row)), 0)
      const units = ended ? 0 : sliceSize(meter.left, cost)
      if (units === 0) return { slice: null, given: meter.given, left: meter.left, elsewhere }
      const after = take(meter, units)
      saveMeter(grantId, after)
      const { lastInsertRowid } = insertSlice.run(grantId, holder, units, now)
      return {
        slice: { id: Number(lastInsertRowid), units },
        given: after.given,
        left: after.left,
        elsewhere,
      }
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
