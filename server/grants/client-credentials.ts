/** The client credentials grant (RFC 6749 §4.4): whitelisted internal services get tokens for their secret. */
import { Refusal } from "../../shared/errors.ts"
import { clientCredentialsGrantType } from "../../shared/oauth.ts"
import { firstToken } from "../core/grant.ts"
import { includesScope, type WhitelistEntry } from "../core/whitelist.ts"
import { type Credentials, isSecret, readCredentials, sha256Hex } from "../credentials.ts"
import { answerFrom, freshId } from "./answer.ts"
import type { TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "./grant-type.ts"

export const grantType = clientCredentialsGrantType
export const parameters = ["client_id", "client_secret", "scope"] as const

export async function handle(
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TokenAnswer> {
  const credentials = readCredentials(request)
  if (!credentials) throw new Refusal("invalid_client")
  const now = deps.now()
  const entry = authenticate(credentials, deps.whitelist.find(credentials.id, now))
  const scope = scopeFor(entry, request.parameters.get("scope"))
  const expiresAt = now + options.lives.full
  const terms = {
    // Without an offer there is no refresh token: the client comes again with its credentials (RFC 6749 §4.4.3).
    offer: null,
    paid: false,
    expiresAt,
    opening: null,
    keyThumbprint: request.keyThumbprint,
  }
  const outcome = await deps.store.admit({
    grant: {
      ...terms,
      id: freshId(deps.random),
      scope,
      subject: entry.id,
      startsAt: now,
      idempotencyHash: null,
      meter: null,
      token: firstToken(terms, freshId(deps.random), now, options.lives),
    },
    secretSha256: sha256Hex(credentials.secret),
    now,
  })
  // Taken off the list, or given another secret, since this process read it.
  if (outcome.kind === "refused") throw new Refusal("invalid_client")
  deps.log.info({ grant: outcome.grant.id, client: entry.id }, "client admitted")
  return answerFrom(outcome.grant, { state: "none" }, false, deps, options)
}

function authenticate({ secret }: Credentials, entry: WhitelistEntry | undefined): WhitelistEntry {
  const matches = isSecret(secret, entry?.secretSha256)
  if (!entry || !matches) throw new Refusal("invalid_client")
  return entry
}

/** All that the entry has, or the part of it that is asked for (RFC 6749 §3.3). */
export function scopeFor(entry: WhitelistEntry, wanted: unknown): string {
  if (wanted === undefined) return entry.scope
  if (typeof wanted !== "string") throw new Refusal("malformed", "Wanted scope, a string.")
  if (!includesScope(entry.scope, wanted)) throw new Refusal("invalid_scope")
  return [...new Set(wanted.split(" "))].join(" ")
}
