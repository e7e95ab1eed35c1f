/** The verbs of the whitelist, on SQLite. */
import type BetterSqlite3 from "better-sqlite3"
import { openGrant } from "../../core/grant.ts"
import {
  listed,
  memberOf,
  published,
  removed,
  standsFor,
  type WhitelistChange,
} from "../../core/whitelist.ts"
import { admittedFacts, listFacts, standsSince } from "../verbs/rules.ts"
import type { Verbs, WhitelistVerb } from "../verbs/verb-list.ts"
import type { Records } from "./records.ts"
import { integer, type Row, whitelistColumnsOf, whitelistRowFrom } from "./rows.ts"

export function createWhitelistVerbs(
  db: BetterSqlite3.Database,
  records: Records,
): Pick<Verbs, WhitelistVerb> {
  const allRows = db.prepare<[], Row>("SELECT * FROM whitelist ORDER BY id")
  const putRow = db.prepare(`
    INSERT INTO whitelist (id, secret_sha256, scope, changed_by, listed_at, removed_at)
    VALUES (:id, :secret_sha256, :scope, :changed_by, :listed_at, :removed_at)
    ON CONFLICT (id) DO UPDATE SET secret_sha256 = excluded.secret_sha256, scope = excluded.scope,
      changed_by = excluded.changed_by, listed_at = excluded.listed_at, removed_at = excluded.removed_at`)
  const lastChange = db.prepare<[], Row>(`
    SELECT max(sequence) AS sequence FROM entries WHERE kind IN ('whitelist_added', 'whitelist_removed')`)

  function carryOut(change: WhitelistChange | undefined, at: number): { changed: boolean } {
    if (!change) return { changed: false }
    putRow.run(whitelistColumnsOf(change.row))
    if (change.entry) records.book(change.entry, null, null, listFacts(change), at)
    const left = { id: change.row.id, before: standsSince(change.row, at), unpaid: true }
    records.endGrantsOf(left, "delisted", at)
    return { changed: change.entry !== null }
  }

  return {
    publishWhitelist({ members, now }) {
      const { changes, heldBack } = published(allRows.all().map(whitelistRowFrom), members, now)
      for (const change of changes) carryOut(change, now)
      return { heldBack }
    },

    addToWhitelist: ({ member, now }) =>
      carryOut(listed(records.whitelisted(member.id), member, "command", now), now),

    removeFromWhitelist: ({ id, now }) => carryOut(removed(records.whitelisted(id), "command", now), now),

    whitelist({ version }) {
      const last = lastChange.get()?.sequence ?? null
      const newest = last === null ? 0 : integer(last)
      if (newest === version) return null
      const rows = allRows.all().map(whitelistRowFrom)
      return {
        version: newest,
        entries: rows.filter((row) => row.removedAt === null).map(({ removedAt: _, ...entry }) => entry),
      }
    },

    admit({ grant: opened, secretSha256, now }) {
      const row = records.whitelisted(memberOf(opened.subject))
      if (!standsFor(row, now) || row?.secretSha256 !== secretSha256) return { kind: "refused" }
      const grant = openGrant(opened)
      records.addGrant(grant)
      records.book("admitted", grant.id, null, admittedFacts(grant), now)
      return { kind: "admitted", grant }
    },
  }
}
