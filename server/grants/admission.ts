/** Opens a grant without payment for a whitelisted caller. */
import { Refusal } from "../../shared/refusals.ts"
import { firstToken } from "../core/grant.ts"
import { includesScope, type WhitelistEntry } from "../core/whitelist.ts"
import { answerFrom, freshId } from "./answer.ts"
import { audienceOf } from "./audience.ts"
import type { IssuedAnswer, TokenDeps, TokenOptions, TokenRequest } from "./grant-type.ts"

type Caller = {
  readonly entry: WhitelistEntry
  /** The name of the caller in tokens. */
  readonly subject: string
  readonly scope: string
}

/**
 * Answers a caller that has proven to own the entry. Undefined if the entry was removed, or got another secret, since
 * this process read the list.
 */
export async function admit(
  { entry, subject, scope }: Caller,
  request: Pick<TokenRequest, "keyThumbprint" | "claimProof" | "resource">,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<IssuedAnswer | undefined> {
  await request.claimProof()
  const now = deps.now()
  const terms = {
    // Without an offer there is no refresh token: the caller authenticates again (RFC 6749 §4.4.3).
    offer: null,
    paid: false,
    expiresAt: now + options.lives.full,
    opening: null,
    keyThumbprint: request.keyThumbprint,
  }
  const outcome = await deps.store.admit({
    grant: {
      ...terms,
      resource: audienceOf(request, options),
      id: freshId(deps.random),
      scope,
      subject,
      startsAt: now,
      idempotencyHash: null,
      meter: null,
      token: firstToken(terms, freshId(deps.random), now, options.lives),
    },
    secretSha256: entry.secretSha256,
    now,
  })
  if (outcome.kind === "refused") return undefined
  deps.log.info({ grant: outcome.grant.id, caller: entry.id }, "caller admitted")
  return answerFrom(outcome.grant, { state: "none" }, false, deps, options)
}

/** The scope of the entry, or the requested part of it (RFC 6749 §3.3). */
export function scopeFor(entry: WhitelistEntry, { parameters }: TokenRequest): string {
  const wanted = parameters.get("scope")
  if (wanted === undefined) return entry.scope
  if (typeof wanted !== "string") throw new Refusal("malformed", "Wanted scope, a string.")
  if (!includesScope(entry.scope, wanted)) throw new Refusal("invalid_scope")
  return [...new Set(wanted.split(" "))].join(" ")
}
