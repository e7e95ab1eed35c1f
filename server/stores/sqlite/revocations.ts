/** The verbs of what is taken back, on SQLite. */
import type BetterSqlite3 from "better-sqlite3"
import { livingSince, revokedFacts, ruleFacts, ruleOf } from "../verbs/rules.ts"
import type { RevocationVerb, Verbs } from "../verbs/verb-list.ts"
import type { Records } from "./records.ts"
import { living, numberedRevocationFrom, type Row } from "./rows.ts"

export function createRevocationVerbs(
  db: BetterSqlite3.Database,
  records: Records,
): Pick<Verbs, RevocationVerb> {
  const isTokenRevoked = db.prepare<[string], Row>("SELECT 1 FROM revocations WHERE jti = ?")
  const endByRule = db.prepare<{ offer: string | null; since: number; before: number; at: number }>(`
    UPDATE grants SET end_reason = 'revoked', ended_at = :at
    WHERE ${living} AND (:offer IS NULL OR offer = :offer OR substr(offer, 1, length(:offer) + 1) = :offer || '@')`)
  const after = db.prepare<[number, number, number], Row>(`
    SELECT sequence, content FROM revocations WHERE sequence > ? AND expires_at >= ? ORDER BY sequence LIMIT ?`)

  return {
    revoke({ target, by, note, now }) {
      const facts = revokedFacts(by, note)
      switch (target.kind) {
        case "grant": {
          const grant = records.grant(target.grantId)
          if (!grant || grant.ended) return { revoked: 0 }
          const key = records.redemptionFor(grant.id)?.key ?? null
          records.saveGrant(grant, { ...grant, ended: { reason: "revoked", at: now } }, key, now, facts)
          return { revoked: 1 }
        }
        case "token": {
          const { kind, grantId, jti, expiresAt } = target
          const grant = records.grant(grantId)
          if (!grant || grant.ended || isTokenRevoked.get(jti)) return { revoked: 0 }
          const sequence = records.book("token_revoked", grantId, null, { ...facts, jti }, now)
          records.publish(sequence, { kind, jti, expiresAt }, now)
          return { revoked: 1 }
        }
        case "subject":
          return { revoked: records.endGrantsOf(target, "revoked", now, facts) }
        case "rule": {
          const { offer, before } = target
          const { changes } = endByRule.run({ offer, before, since: livingSince(now), at: now })
          // Without a grant that lived there is no token that does.
          if (changes === 0) return { revoked: 0 }
          const sequence = records.book(
            "revoked",
            null,
            null,
            { ...facts, ...ruleFacts(target, changes) },
            now,
          )
          records.publish(sequence, ruleOf(target, now), now)
          return { revoked: changes }
        }
      }
    },

    revocations: ({ cursor, limit, now }) =>
      after.all(cursor, livingSince(now), limit).map(numberedRevocationFrom),
  }
}
