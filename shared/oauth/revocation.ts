/** Defines revocations, and the set in which a gate looks them up. */
import type { Claims } from "./access-token.ts"

/**
 * The reasons why a grant ends early. `lost` means that the books were restored without the grant and know only its
 * payment; they never issued a token from it.
 */
export const grantEnds = ["settlement_failed", "refresh_token_reused", "revoked", "delisted", "lost"] as const
export type GrantEnd = (typeof grantEnds)[number]

/** Seconds. No token that it concerns lives longer, so a reader may drop it then. */
type Life = { readonly expiresAt: number }

export type RevocationRule = Life & {
  readonly kind: "rule"
  /** Id or reference of an offer; null for every grant. */
  readonly offer: string | null
  /** Seconds; grants that began earlier have ended. */
  readonly before: number
}

export type Revocation =
  | (Life & { readonly kind: "grant"; readonly grantId: string; readonly reason: GrantEnd })
  | (Life & { readonly kind: "token"; readonly jti: string })
  /** Its grant has changed and lives on: no token of it, or of what was derived from it, that was issued before is good. */
  | (Life & { readonly kind: "tokens"; readonly grantId: string; readonly before: number })
  /** The payment behind its grant is suspended: none of its tokens is accepted until it is resumed. */
  | (Life & { readonly kind: "suspended"; readonly grantId: string })
  /** The money is in after all: undoes `suspended`, and an end by `settlement_failed`. */
  | (Life & { readonly kind: "resumed"; readonly grantId: string })
  | RevocationRule

/** The longest life of an access token, in any configuration. */
export const longestTokenSeconds = 3600

/** The fields of a grant or token that a rule compares. */
export type Concerned = { readonly offer: string | null; readonly grantedAt: number }

export const concerns = (rule: Pick<RevocationRule, "offer" | "before">, it: Concerned): boolean =>
  it.grantedAt < rule.before && (rule.offer === null || isOffer(it.offer, rule.offer))

/** `hour@9f3c2a71` matches that reference and the id `hour`. */
const isOffer = (ref: string | null, wanted: string): boolean =>
  ref === wanted || (ref ?? "").startsWith(`${wanted}@`)

/** An entry is kept this long after its end, because clocks differ. */
export const revocationSlackSeconds = 60

/** After `superseded`, a refresh brings a valid token; after `suspended`, the same token may be valid again. */
export type StopReason = GrantEnd | "suspended" | "superseded"

export type RevocationSet = {
  add(revocations: readonly Revocation[]): void
  /** Drops entries that concern no token any more, so that the set stays bounded. */
  forget(now: number): void
  /** Returns why the token is refused; undefined while it is valid. */
  reasonFor(
    claims: Pick<Claims, "grant" | "parent" | "jti" | "iat" | "offer" | "granted_at">,
  ): StopReason | undefined
}

export function createRevocationSet(): RevocationSet {
  const grants = new Map<string, { readonly reason: GrantEnd } & Life>()
  const suspended = new Map<string, Life>()
  const tokens = new Map<string, Life>()
  const changed = new Map<string, { readonly before: number } & Life>()
  let rules: readonly RevocationRule[] = []

  function addOne(revocation: Revocation): void {
    switch (revocation.kind) {
      case "grant":
        grants.set(revocation.grantId, revocation)
        break
      case "suspended":
        suspended.set(revocation.grantId, revocation)
        break
      case "resumed":
        suspended.delete(revocation.grantId)
        if (grants.get(revocation.grantId)?.reason === "settlement_failed") grants.delete(revocation.grantId)
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
      for (const [key, entry] of suspended) if (isOver(entry)) suspended.delete(key)
      for (const [key, entry] of tokens) if (isOver(entry)) tokens.delete(key)
      for (const [key, entry] of changed) if (isOver(entry)) changed.delete(key)
      if (rules.some(isOver)) rules = rules.filter((rule) => !isOver(rule))
    },
    reasonFor({ grant, parent, jti, iat, offer, granted_at }) {
      const ended = grants.get(grant) ?? (parent === undefined ? undefined : grants.get(parent))
      if (ended) return ended.reason
      const family = [grant, parent ?? grant]
      const isTakenBack =
        tokens.has(jti) || rules.some((rule) => concerns(rule, { offer, grantedAt: granted_at }))
      if (!isTakenBack && family.some((id) => suspended.has(id))) return "suspended"
      if (family.some((id) => iat < (changed.get(id)?.before ?? 0))) return "superseded"
      return isTakenBack ? "revoked" : undefined
    },
  }
}
