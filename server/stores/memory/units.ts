/** The verbs of grants that end with their use, in memory. */
import type { Grant } from "../../core/grant.ts"
import {
  allowance,
  comingBackSince,
  give,
  type Meter,
  noted,
  openUnits,
  report,
  type SliceReport,
  sliceSize,
  take,
} from "../../core/units.ts"
import { creditedFacts } from "../verbs/rules.ts"
import type { UnitVerb, Verbs } from "../verbs/verb-list.ts"
import type { MemoryTables } from "./tables.ts"

export function createMemoryUnits(tables: MemoryTables): Pick<Verbs, UnitVerb> {
  const { grants, slices, put, drop } = tables
  let lastSlice = 0

  function saveMeter(grantId: string, meter: Meter): void {
    const grant = grants.get(grantId)
    if (grant) put(grants, grantId, { ...grant, meter })
  }

  function lineOf(grantId: string): readonly Grant[] {
    const own = grants.get(grantId)
    return [own, grants.get(own?.parent ?? "")].filter((grant) => grant !== undefined)
  }

  /** What a call for one of the line counts against. */
  const meteredOf = (line: readonly Grant[]): readonly { readonly id: string; readonly meter: Meter }[] =>
    line.flatMap(({ id, meter }) => (meter ? [{ id, meter }] : []))

  function note(sliceReport: SliceReport): void {
    const slice = slices.get(sliceReport.sliceId)
    // Without a row all was said before.
    if (!slice) return
    for (const { id, meter } of meteredOf(lineOf(slice.grantId)))
      saveMeter(id, report(meter, slice, sliceReport))
    const after = noted(slice, sliceReport)
    if (openUnits(after) === 0) drop(slices, slice.id)
    else put(slices, slice.id, after)
  }

  function openElsewhere(grantId: string, holder: string, now: number): number {
    const family = tables.familyOf(grantId)
    return [...slices.values()]
      .filter((slice) => family.has(slice.grantId) && slice.holder !== holder)
      .filter((slice) => slice.takenAt >= comingBackSince(now))
      .reduce((total, slice) => total + openUnits(slice), 0)
  }

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
      const id = ++lastSlice
      put(slices, id, { id, grantId, holder, units, spent: 0, unused: 0, takenAt: now })
      return { slice: { id, units }, given, left: left - units, elsewhere }
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
