/** The ledger: books facts, and publishes to gates those that end something. */
import {
  type GrantEnd,
  longestTokenSeconds,
  type Revocation,
  revocationSlackSeconds,
} from "../../../shared/oauth/revocation.ts"
import type { Grant } from "../../core/grant.ts"
import { endedFact, type LedgerEntry, type LedgerFact, type RevokedBy } from "../../core/ledger-facts.ts"
import { integer, text, textOrNull } from "./columns.ts"
import { grantFrom, updateGrant } from "./grants.ts"
import { readCurrent } from "./redemptions.ts"
import type { Row, Rows } from "./rows.ts"

/** Grants without an end that began before and may have living tokens; two indices find them. */
export const living =
  // The time of a settle-first purchase has not begun before its token is issued.
  "(expires_at >= :since OR token_jti IS NULL) AND starts_at < :before AND end_reason IS NULL"

export const ledgerQueries = {
  insert: `
    INSERT INTO entries (at, kind, grant_id, redemption_key, facts, network, asset, payer, offer)
    VALUES (:at, :kind, :grantId, :redemptionKey, :facts,
      (SELECT network FROM redemptions WHERE key = :redemptionKey),
      (SELECT asset FROM redemptions WHERE key = :redemptionKey),
      (SELECT payer FROM redemptions WHERE key = :redemptionKey),
      coalesce(
        :offer,
        (SELECT offer FROM entries WHERE redemption_key = :redemptionKey AND kind IN ('redeemed', 'claimed') LIMIT 1),
        (SELECT offer FROM grants WHERE id = :grantId)
      ))
    RETURNING sequence`,
  publish: `
    INSERT INTO revocations (sequence, content, jti, expires_at) VALUES (:sequence, :content, :jti, :expiresAt)`,
  dropRevocations: "DELETE FROM revocations WHERE expires_at < :until",
  // In the order of their rows, but not by looking at all of them: hence the plus.
  livingGrantsOf: `
    SELECT * FROM grants
    WHERE ${living} AND (subject = :id OR substr(subject, length(subject) - length(:id)) = ':' || :id)
    ORDER BY +rowid`,
}
const q = ledgerQueries

/** The grant and the redemption an entry is about. */
export type Subject = Pick<LedgerEntry, "grantId" | "redemptionKey">

/** Books a fact, and publishes to gates the revocation that it means to them. */
export async function book(
  rows: Rows,
  fact: LedgerFact,
  { grantId, redemptionKey }: Subject,
  at: number,
  revocation: Revocation | null = null,
): Promise<void> {
  if (revocation) await rows.run(q.dropRevocations, { until: livingSince(at) })
  await rows.append({
    at,
    kind: fact.kind,
    grantId,
    redemptionKey,
    facts: JSON.stringify(fact.facts),
    offer: ("offer" in fact.facts ? fact.facts.offer : undefined) ?? null,
    revocation: revocation && {
      content: JSON.stringify(revocation),
      jti: revocation.kind === "token" ? revocation.jti : null,
      expiresAt: revocation.expiresAt,
    },
  })
}

/** Saves the grant; its end, when that is news, is booked and published. */
export async function saveGrant(
  rows: Rows,
  before: Grant,
  after: Grant,
  redemptionKey: string | null,
  at: number,
  revoked: RevokedBy | null = null,
): Promise<void> {
  await updateGrant(rows, after)
  if (!after.ended || before.ended) return
  const { reason } = after.ended
  const subject = { grantId: after.id, redemptionKey }
  await book(rows, endedFact(reason, revoked), subject, at, endOf(after, reason, at))
}

/** Ends the living grants of a subject that began before; resolves to their number. */
export async function endGrantsOf(
  rows: Rows,
  { id, before, unpaid = false }: { id: string; before: number; unpaid?: boolean },
  reason: GrantEnd,
  at: number,
  revoked: RevokedBy | null = null,
): Promise<number> {
  const found = await rows.all(q.livingGrantsOf, { id, since: livingSince(at), before })
  const ending = found.map(grantFrom).filter((each) => !unpaid || !each.paid)
  for (const each of ending) {
    const key = (await readCurrent(rows, each.id))?.key ?? null
    await saveGrant(rows, each, { ...each, ended: { reason, at } }, key, at, revoked)
  }
  return ending.length
}

/** A grant whose time ended before this has no living token, even when clocks differ. */
export const livingSince = (now: number): number => now - revocationSlackSeconds

/** The latest end of a token of a grant that ended at this time: no token is issued afterwards. */
export const lastTokenAt = (endedAt: number): number => endedAt + longestTokenSeconds

const endOf = ({ id, expiresAt }: Grant, reason: GrantEnd, at: number): Revocation => ({
  kind: "grant",
  grantId: id,
  reason,
  expiresAt: Math.min(expiresAt, lastTokenAt(at)),
})

export const entryFrom = (row: Row): LedgerEntry =>
  ({
    sequence: integer(row.sequence),
    at: integer(row.at),
    kind: text(row.kind),
    grantId: textOrNull(row.grant_id),
    redemptionKey: textOrNull(row.redemption_key),
    facts: JSON.parse(text(row.facts)),
  }) as LedgerEntry
