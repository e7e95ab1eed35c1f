/** Keeps the whitelist, and admits its members without payment. */
import { type IssuedGrant, type NewGrant, openGrant } from "../../core/grant.ts"
import { admittedFact, whitelistFact } from "../../core/ledger-facts.ts"
import {
  listed,
  memberOf,
  published,
  removed,
  standsFor,
  type WhitelistChange,
  type WhitelistMember,
  type WhitelistRow,
} from "../../core/whitelist.ts"
import type { WhitelistSnapshot } from "../../ports/records.ts"
import { integer } from "../records/columns.ts"
import { addGrant } from "../records/grants.ts"
import { book, endGrantsOf } from "../records/ledger.ts"
import type { Rows } from "../records/rows.ts"
import { readMember, whitelistRowFrom } from "../records/whitelist.ts"

export const whitelistQueries = {
  all: "SELECT * FROM whitelist ORDER BY id",
  put: `
    INSERT INTO whitelist (id, secret_sha256, scope, changed_by, listed_at, removed_at)
    VALUES (:id, :secretSha256, :scope, :by, :listedAt, :removedAt)
    ON CONFLICT (id) DO UPDATE SET secret_sha256 = excluded.secret_sha256, scope = excluded.scope,
      changed_by = excluded.changed_by, listed_at = excluded.listed_at, removed_at = excluded.removed_at`,
  lastChange: `
    SELECT max(sequence) AS sequence FROM entries WHERE kind IN ('whitelist_added', 'whitelist_removed')`,
}
const q = whitelistQueries

export async function publishWhitelist(
  rows: Rows,
  { members, now }: { members: readonly WhitelistMember[]; now: number },
): Promise<{ heldBack: readonly string[] }> {
  const { changes, heldBack } = published((await rows.all(q.all)).map(whitelistRowFrom), members, now)
  for (const change of changes) await carryOut(rows, change, now)
  return { heldBack }
}

export async function addToWhitelist(
  rows: Rows,
  { member, now }: { member: WhitelistMember; now: number },
): Promise<{ changed: boolean }> {
  return carryOut(rows, listed(await readMember(rows, member.id), member, "command", now), now)
}

export async function removeFromWhitelist(
  rows: Rows,
  { id, now }: { id: string; now: number },
): Promise<{ changed: boolean }> {
  return carryOut(rows, removed(await readMember(rows, id), "command", now), now)
}

async function carryOut(
  rows: Rows,
  change: WhitelistChange | undefined,
  at: number,
): Promise<{ changed: boolean }> {
  if (!change) return { changed: false }
  const { row, entry } = change
  await rows.run(q.put, { ...row })
  if (entry) await book(rows, whitelistFact(entry, change), { grantId: null, redemptionKey: null }, at)
  const left = { id: row.id, before: standsSince(row, at), unpaid: true }
  await endGrantsOf(rows, left, "delisted", at)
  return { changed: entry !== null }
}

/**
 * Unpaid grants that began before this have lost their entry. They end with the change, so that gates that do not keep the
 * list refuse them too.
 */
const standsSince = (row: WhitelistRow, at: number): number =>
  row.removedAt === null ? row.listedAt : at + 1

export async function whitelist(
  rows: Rows,
  { version }: { version: number },
): Promise<WhitelistSnapshot | null> {
  const last = (await rows.get(q.lastChange))?.sequence ?? null
  const newest = last === null ? 0 : integer(last)
  if (newest === version) return null
  const all = (await rows.all(q.all)).map(whitelistRowFrom)
  return {
    version: newest,
    entries: all.filter((row) => row.removedAt === null).map(({ removedAt: _, ...entry }) => entry),
  }
}

export async function admit(
  rows: Rows,
  { grant: opened, secretSha256, now }: { grant: NewGrant; secretSha256: string | null; now: number },
): Promise<{ readonly kind: "admitted"; readonly grant: IssuedGrant } | { readonly kind: "refused" }> {
  const row = await readMember(rows, memberOf(opened.subject))
  if (!standsFor(row, now) || row?.secretSha256 !== secretSha256) return { kind: "refused" }
  const grant = openGrant(opened)
  await addGrant(rows, grant)
  await book(rows, admittedFact(grant), { grantId: grant.id, redemptionKey: null }, now)
  return { kind: "admitted", grant }
}
