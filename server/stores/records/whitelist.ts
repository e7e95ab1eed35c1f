/** Entries of the whitelist as rows, and whether one stands behind a grant that was not paid. */
import type { Grant } from "../../core/grant.ts"
import { memberOf, standsFor, type WhitelistAuthor, type WhitelistRow } from "../../core/whitelist.ts"
import { integer, integerOrNull, text, textOrNull } from "./columns.ts"
import type { Row, Rows } from "./rows.ts"

export const memberQueries = { byId: "SELECT * FROM whitelist WHERE id = :id" }
const q = memberQueries

export async function readMember(rows: Rows, id: string): Promise<WhitelistRow | null> {
  const row = await rows.get(q.byId, { id })
  return row ? whitelistRowFrom(row) : null
}

/** A grant that was not paid yields tokens only while its subject is on the list, and was when the grant began. */
export async function isListed(
  rows: Rows,
  { subject, startsAt }: Pick<Grant, "subject" | "startsAt">,
): Promise<boolean> {
  return standsFor(await readMember(rows, memberOf(subject)), startsAt)
}

export const whitelistRowFrom = (row: Row): WhitelistRow => ({
  id: text(row.id),
  secretSha256: textOrNull(row.secret_sha256),
  scope: text(row.scope),
  by: text<WhitelistAuthor>(row.changed_by),
  listedAt: integer(row.listed_at),
  removedAt: integerOrNull(row.removed_at),
})
