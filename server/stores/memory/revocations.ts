/** The verbs of what is taken back, in memory. */
import { concerns } from "../../../shared/oauth/revocation.ts"
import { livingSince, revokedFacts, ruleFacts, ruleOf } from "../verbs/rules.ts"
import type { RevocationVerb, Verbs } from "../verbs/verb-list.ts"
import type { MemoryTables } from "./tables.ts"

export function createMemoryRevocations(tables: MemoryTables): Pick<Verbs, RevocationVerb> {
  const { grants, revocations, put, book, publish } = tables

  return {
    revoke({ target, by, note, now }) {
      const facts = revokedFacts(by, note)
      const ended = { reason: "revoked", at: now } as const
      switch (target.kind) {
        case "grant": {
          const grant = grants.get(target.grantId)
          if (!grant || grant.ended) return { revoked: 0 }
          tables.saveGrant({ ...grant, ended }, tables.redemptionFor(grant.id)?.key ?? null, now, facts)
          return { revoked: 1 }
        }
        case "token": {
          const { kind, grantId, jti, expiresAt } = target
          const grant = grants.get(grantId)
          const known = [...revocations.values()].some((each) => each.kind === "token" && each.jti === jti)
          if (!grant || grant.ended || known) return { revoked: 0 }
          publish(book("token_revoked", grantId, null, { ...facts, jti }, now), { kind, jti, expiresAt }, now)
          return { revoked: 1 }
        }
        case "subject":
          return { revoked: tables.endGrantsOf(target, "revoked", now, facts) }
        case "rule": {
          const ending = tables
            .livingGrants(target.before, now)
            .filter(({ offer, startsAt }) => concerns(target, { offer, grantedAt: startsAt }))
          for (const grant of ending) put(grants, grant.id, { ...grant, ended })
          // Without a grant that lived there is no token that does.
          if (ending.length === 0) return { revoked: 0 }
          const sequence = book("revoked", null, null, { ...facts, ...ruleFacts(target, ending.length) }, now)
          publish(sequence, ruleOf(target, now), now)
          return { revoked: ending.length }
        }
      }
    },

    revocations: ({ cursor, limit, now }) =>
      [...revocations]
        .filter(([sequence, { expiresAt }]) => sequence > cursor && expiresAt >= livingSince(now))
        .slice(0, limit)
        .map(([sequence, revocation]) => ({ sequence, revocation })),
  }
}
