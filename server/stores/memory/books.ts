/** The verbs of those who look through the books, and mend them, in memory. */
import type { Grant } from "../../core/grant.ts"
import type { BookRow } from "../../core/invariants.ts"
import { isUnsettled, type LedgerKind, outcomeKinds } from "../../core/redemption.ts"
import { openUnits } from "../../core/units.ts"
import type { RelayTransaction } from "../../ports/records.ts"
import { endedFacts, importedFacts } from "../verbs/rules.ts"
import type { BookVerb, Verbs } from "../verbs/verb-list.ts"
import type { MemoryTables } from "./tables.ts"

type Line = Pick<BookRow, "grant" | "redemption">

export function createMemoryBooks(tables: MemoryTables): Pick<Verbs, BookVerb> {
  const { grants, slices, redemptions, entries, transactions, nonces, progress, put } = tables

  /** One for each payment, or one without. */
  const withPayments = (grant: Grant): readonly Line[] => {
    const payments = tables.paymentsFor(grant.id)
    return (payments.length === 0 ? [null] : payments).map((redemption) => ({ grant, redemption }))
  }

  function lentBy({ id, meter }: Grant): number {
    if (!meter) return 0
    const family = tables.familyOf(id)
    const held = [...slices.values()].filter(({ grantId }) => family.has(grantId))
    return held.reduce((total, slice) => total + openUnits(slice), 0)
  }

  function bookRows(wanted: readonly Line[]): readonly BookRow[] {
    const kinds = new Map<string, LedgerKind[]>()
    for (const { redemptionKey, kind } of entries.values())
      if (redemptionKey !== null) kinds.set(redemptionKey, [...(kinds.get(redemptionKey) ?? []), kind])
    return wanted.map(({ grant, redemption }) => {
      const own = kinds.get(redemption?.key ?? "") ?? []
      const ride = transactions.get(redemption?.transactionId ?? -1)
      return {
        grant,
        redemption,
        entries: countOf(own),
        news: own.findLast((kind) => outcomeKinds.some((each) => each === kind)) ?? null,
        ride: ride === undefined ? null : ride.state === "done" ? "done" : "in_flight",
        lent: lentBy(grant),
      }
    })
  }

  const all = (): readonly RelayTransaction[] => [...transactions.values()]

  return {
    books: ({ after, limit }) =>
      bookRows(
        [...grants.values()]
          .filter(({ id }) => id > after)
          .sort((a, b) => (a.id < b.id ? -1 : 1))
          .slice(0, limit)
          .flatMap(withPayments),
      ),

    exposure: () => ({
      ...tables.totals(),
      losses: tables.losses(),
      open: bookRows(
        [...redemptions.values()].flatMap((redemption) => {
          const grant = grants.get(redemption.grantId)
          return grant && isUnsettled(redemption.state) ? [{ grant, redemption }] : []
        }),
      ),
    }),

    doubles: () => ({
      keys: twice([...redemptions.values()].map(({ key }) => key)),
      transfers: twice(
        [...redemptions.values()].flatMap(({ network, evidence }) =>
          evidence ? [`${network} ${evidence.transactionHash} ${evidence.logIndex}`] : [],
        ),
      ),
      nonces: twice(all().map(nameOf)),
      unsigned: all()
        .filter(({ versions }) => versions.length === 0)
        .map(nameOf),
    }),

    progress: ({ network }) => ({
      blocks: progress.get(network) ?? null,
      nonces: [...nonces]
        .map(([name, next]) => ({ name: name.split(" "), next }))
        .filter(({ name }) => name[0] === network)
        .map(({ name, next }) => ({ relayer: name[1] as `0x${string}`, next }))
        .sort((a, b) => (a.relayer < b.relayer ? -1 : 1)),
    }),

    unbooked: ({ network, transfers }) =>
      transfers.filter((transfer) => !tables.isEvidence(network, transfer)),

    catchUp({ network, since, done, nonces: raised, payments, now }) {
      const imported = payments.flatMap(({ grant, redemption }) => {
        const { key, evidence } = redemption
        if (redemptions.has(key) || (evidence && tables.isEvidence(network, evidence))) return []
        put(grants, grant.id, grant)
        tables.saveRedemption(undefined, redemption, now)
        tables.book("imported", grant.id, key, importedFacts(redemption), now)
        if (grant.ended) tables.book("ended", grant.id, key, endedFacts(grant.ended.reason), now)
        return [key]
      })
      const before = progress.get(network)
      put(progress, network, {
        since: before?.since ?? since,
        done: before && before.done > done ? before.done : done,
      })
      for (const { relayer, next } of raised) {
        const name = `${network} ${relayer}`
        put(nonces, name, Math.max(nonces.get(name) ?? 0, next))
      }
      return { imported }
    },
  }
}

function countOf(kinds: readonly LedgerKind[]): Partial<Record<LedgerKind, number>> {
  const counts: Partial<Record<LedgerKind, number>> = {}
  for (const kind of kinds.toSorted()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

const nameOf = ({ network, relayer, nonce }: RelayTransaction): string => `${network} ${relayer} ${nonce}`

const twice = (names: readonly string[]): readonly string[] => {
  const seen = new Set<string>()
  return [...new Set(names.filter((name) => seen.size === seen.add(name).size))].sort()
}
