/** The verbs of the whitelist, in memory. */
import { openGrant } from "../../core/grant.ts"
import {
  byId,
  listed,
  memberOf,
  published,
  removed,
  standsFor,
  type WhitelistChange,
} from "../../core/whitelist.ts"
import { admittedFacts, listFacts, standsSince } from "../verbs/rules.ts"
import type { Verbs, WhitelistVerb } from "../verbs/verb-list.ts"
import type { MemoryTables } from "./tables.ts"

export function createMemoryWhitelist(tables: MemoryTables): Pick<Verbs, WhitelistVerb> {
  const { whitelist, put, book, entries } = tables
  const rowOf = (id: string) => whitelist.get(id) ?? null

  function carryOut(change: WhitelistChange | undefined, at: number): { changed: boolean } {
    if (!change) return { changed: false }
    put(whitelist, change.row.id, change.row)
    if (change.entry) book(change.entry, null, null, listFacts(change), at)
    const left = { id: change.row.id, before: standsSince(change.row, at), unpaid: true }
    tables.endGrantsOf(left, "delisted", at)
    return { changed: change.entry !== null }
  }

  return {
    publishWhitelist({ members, now }) {
      const { changes, heldBack } = published([...whitelist.values()], members, now)
      for (const change of changes) carryOut(change, now)
      return { heldBack }
    },

    addToWhitelist: ({ member, now }) => carryOut(listed(rowOf(member.id), member, "command", now), now),

    removeFromWhitelist: ({ id, now }) => carryOut(removed(rowOf(id), "command", now), now),

    whitelist({ version }) {
      const changes = [...entries.values()].filter((entry) => entry.kind.startsWith("whitelist_"))
      const newest = changes.at(-1)?.sequence ?? 0
      if (newest === version) return null
      const rows = [...whitelist.values()].filter((row) => row.removedAt === null)
      return {
        version: newest,
        entries: rows.map(({ removedAt: _, ...entry }) => entry).sort(byId),
      }
    },

    admit({ grant: opened, secretSha256, now }) {
      const row = rowOf(memberOf(opened.subject))
      if (!standsFor(row, now) || row?.secretSha256 !== secretSha256) return { kind: "refused" }
      const grant = openGrant(opened)
      if (tables.grants.has(grant.id)) throw new Error("this grant exists already")
      put(tables.grants, grant.id, grant)
      book("admitted", grant.id, null, admittedFacts(grant), now)
      return { kind: "admitted", grant }
    },
  }
}
