/** What was taken back before its time, and the set in which a gate looks it up (wire.md §6). */
import type { Claims } from "./access-token.ts"

/**
 * Why a grant ended before it was over. `lost`: the books were restored without it, and know it by its payment only; they
 * never issued a token from it.
 */
export const grantEnds = ["settlement_failed", "refresh_token_reused", "revoked", "delisted", "lost"] as const
export type GrantEnd = (typeof grantEnds)[number]

/** Seconds; no token it concerns lives longer, so whoever keeps it may forget it then. */
type Life = { readonly expiresAt: number }

export type RevocationRule = Life & {
  readonly kind: "rule"
  /** Id or reference of an offer; null for whatever was granted. */
  readonly offer: string | null
  /** Seconds; grants that began earlier have ended. */
  readonly before: number
}

export type Revocation =
  | (Life & { readonly kind: "grant"; readonly grantId: string; readonly reason: GrantEnd })
  | (Life & { readonly kind: "token"; readonly jti: string })
  /** Its grant has changed and lives on: no token of it, or of what was derived from it, that was issued before is good. */
  | (Life & { readonly kind: "tokens"; readonly grantId: string; readonly before: number })
  | RevocationRule

/** No access token lives longer, whatever the configuration says. */
export const longestTokenSeconds = 3600

/** What a rule looks at, of a grant or of a token. */
export type Concerned = { readonly offer: string | null; readonly grantedAt: number }

export const concerns = (rule: Pick<RevocationRule, "offer" | "before">, it: Concerned): boolean =>
  it.grantedAt < rule.before && (rule.offer === null || isOffer(it.offer, rule.offer))

/** `hour@9f3c2a71` is the offer of that reference, and of the id `hour`. */
const isOffer = (ref: string | null, wanted: string): boolean =>
  ref === wanted || (ref ?? "").startsWith(`${wanted}@`)

/** Clocks differ: an entry is kept for so long after its end. */
export const revocationSlackSeconds = 60

export type RevocationSet = {
  add(revocations: readonly Revocation[]): void
  /** Drops what concerns no token any more, so that the set cannot grow without bound. */
  forget(now: number): void
  /** Why the token is refused, or undefined while it is good. `superseded`: a refresh brings one that is. */
  reasonFor(
    claims: Pick<Claims, "grant" | "parent" | "jti" | "iat" | "offer" | "granted_at">,
  ): GrantEnd | "superseded" | undefined
}

export function createRevocationSet(): RevocationSet {
  const grants = new Map<string, { readonly reason: GrantEnd } & Life>()
  const tokens = new Map<string, Life>()
  const changed = new Map<string, { readonly before: number } & Life>()
  let rules: readonly RevocationRule[] = []

  function addOne(revocation: Revocation): void {
    switch (revocation.kind) {
      case "grant":
        grants.set(revocation.grantId, revocation)
        break
      case "token":
        tokens.set(revocation.jti, revocation)
        break
      case "tokens":
        changed.set(revocation.grantId, revocation)
        break
      case "rule":
        rules = [...rules, revocation]
    }
  }

  return {
    add: (revocations) => revocations.forEach(addOne),
    forget(now) {
      const isOver = (entry: Life) => entry.expiresAt + revocationSlackSeconds < now
      for (const [key, entry] of grants) if (isOver(entry)) grants.delete(key)
      for (const [key, entry] of tokens) if (isOver(entry)) tokens.delete(key)
      for (const [key, entry] of changed) if (isOver(entry)) changed.delete(key)
      if (rules.some(isOver)) rules = rules.filter((rule) => !isOver(rule))
    },
    reasonFor({ grant, parent, jti, iat, offer, granted_at }) {
      const ended = grants.get(grant) ?? (parent === undefined ? undefined : grants.get(parent))
      if (ended) return ended.reason
      if ([grant, parent ?? grant].some((id) => iat < (changed.get(id)?.before ?? 0))) return "superseded"
      const isTakenBack =
        tokens.has(jti) || rules.some((rule) => concerns(rule, { offer, grantedAt: granted_at }))
      return isTakenBack ? "revoked" : undefined
    },
  }
}
