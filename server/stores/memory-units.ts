/** The verbs of grants that end with their use, in memory. */
import {
  comingBackSince,
  give,
  type Meter,
  openUnits,
  report,
  type SliceReport,
  sliceSize,
  take,
} from "../core/units.ts"
import type { MemoryTables } from "./memory-tables.ts"
import { creditedFacts } from "./rules.ts"
import type { UnitVerb, Verbs } from "./verbs.ts"

export function createMemoryUnits(tables: MemoryTables): Pick<Verbs, UnitVerb> {
  const { grants, slices, put, drop } = tables
  let lastSlice = 0

  function saveMeter(grantId: string, meter: Meter): void {
    const grant = grants.get(grantId)
    if (grant) put(grants, grantId, { ...grant, meter })
  }

  function note(news: SliceReport): void {
    const slice = slices.get(news.sliceId)
    const meter = slice && grants.get(slice.grantId)?.meter
    // Without a row all was said before.
    if (!slice || !meter) return
    const after = report(meter, slice, news)
    saveMeter(slice.grantId, after.meter)
    if (openUnits(after.slice) === 0) drop(slices, slice.id)
    else put(slices, slice.id, after.slice)
  }

  return {
    takeUnits({ grantId, holder, cost, reports, now }) {
      reports.forEach(note)
      const grant = grants.get(grantId)
      if (!grant?.meter) return { slice: null, given: 0, left: 0, elsewhere: 0 }
      const { meter, ended } = grant
      const elsewhere = [...slices.values()]
        .filter((slice) => slice.grantId === grantId && slice.holder !== holder)
        .filter((slice) => slice.takenAt >= comingBackSince(now))
        .reduce((total, slice) => total + openUnits(slice), 0)
      const units = ended ? 0 : sliceSize(meter.left, cost)
      if (units === 0) return { slice: null, given: meter.given, left: meter.left, elsewhere }
      const after = take(meter, units)
      saveMeter(grantId, after)
      const id = ++lastSlice
      put(slices, id, { id, grantId, holder, units, spent: 0, unused: 0, takenAt: now })
      return { slice: { id, units }, given: after.given, left: after.left, elsewhere }
    },

    reportUnits({ reports }) {
      reports.forEach(note)
    },

    creditUnits({ grantId, units, note: words, now }) {
      const grant = grants.get(grantId)
      if (!grant?.meter) return null
      const meter = give(grant.meter, units)
      saveMeter(grantId, meter)
      const key = tables.redemptionFor(grantId)?.key ?? null
      tables.book("credited", grantId, key, creditedFacts(units, words), now)
      return meter
    },
  }
}
