/** Revokes grants and tokens, and lists what gates must refuse. */
import type { Revocation } from "../../../shared/oauth/revocation.ts"
import { type RevokedBy, ruleFact, tokenRevokedFact } from "../../core/ledger-facts.ts"
import type { NumberedRevocation, RevocationTarget } from "../../ports/records.ts"
import { integer, text } from "../records/columns.ts"
import { readGrant } from "../records/grants.ts"
import { book, endGrantsOf, lastTokenAt, living, livingSince, saveGrant } from "../records/ledger.ts"
import { readCurrent } from "../records/redemptions.ts"
import type { Row, Rows } from "../records/rows.ts"

export const revocationQueries = {
  ofToken: "SELECT 1 FROM revocations WHERE jti = :jti",
  endByRule: `
    UPDATE grants SET end_reason = 'revoked', ended_at = :now
    WHERE ${living} AND (CAST(:offer AS TEXT) IS NULL OR offer = :offer OR substr(offer, 1, length(:offer) + 1) = :offer || '@')`,
  after: `
    SELECT sequence, content FROM revocations WHERE sequence > :cursor AND expires_at >= :since
    ORDER BY sequence LIMIT :limit`,
}
const q = revocationQueries

type TargetOf<K extends RevocationTarget["kind"]> = Extract<RevocationTarget, { readonly kind: K }>

export async function revoke(
  rows: Rows,
  { target, now, ...author }: { target: RevocationTarget; now: number } & RevokedBy,
): Promise<{ revoked: number }> {
  switch (target.kind) {
    case "grant":
      return { revoked: await revokeGrant(rows, target, author, now) }
    case "token":
      return { revoked: await revokeToken(rows, target, author, now) }
    case "subject":
      return { revoked: await endGrantsOf(rows, target, "revoked", now, author) }
    case "rule":
      return { revoked: await revokeByRule(rows, target, author, now) }
  }
}

async function revokeGrant(
  rows: Rows,
  { grantId }: TargetOf<"grant">,
  author: RevokedBy,
  now: number,
): Promise<number> {
  const grant = await readGrant(rows, grantId)
  if (!grant || grant.ended) return 0
  const key = (await readCurrent(rows, grantId))?.key ?? null
  await saveGrant(rows, grant, { ...grant, ended: { reason: "revoked", at: now } }, key, now, author)
  return 1
}

async function revokeToken(
  rows: Rows,
  { kind, grantId, jti, expiresAt }: TargetOf<"token">,
  author: RevokedBy,
  now: number,
): Promise<number> {
  const grant = await readGrant(rows, grantId)
  if (!grant || grant.ended || (await rows.get(q.ofToken, { jti }))) return 0
  const subject = { grantId, redemptionKey: null }
  await book(rows, tokenRevokedFact(author, jti), subject, now, { kind, jti, expiresAt })
  return 1
}

async function revokeByRule(
  rows: Rows,
  { kind, offer, before }: TargetOf<"rule">,
  author: RevokedBy,
  now: number,
): Promise<number> {
  const ended = await rows.run(q.endByRule, { offer, before, since: livingSince(now), now })
  // Without a living grant there is no living token.
  if (ended === 0) return 0
  const fact = ruleFact(author, { offer, before }, ended)
  const revocation = { kind, offer, before, expiresAt: lastTokenAt(now) }
  await book(rows, fact, { grantId: null, redemptionKey: null }, now, revocation)
  return ended
}

export async function revocations(
  rows: Rows,
  { cursor, limit, now }: { cursor: number; limit: number; now: number },
): Promise<readonly NumberedRevocation[]> {
  return (await rows.all(q.after, { cursor, since: livingSince(now), limit })).map(revocationFrom)
}

const revocationFrom = (row: Row): NumberedRevocation => ({
  sequence: integer(row.sequence),
  revocation: JSON.parse(text(row.content)) as Revocation,
})
