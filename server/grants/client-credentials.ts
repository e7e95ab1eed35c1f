/** Gives whitelisted internal services tokens for their secret: client credentials (RFC 6749 §4.4). */

import { clientCredentialsGrantType } from "../../shared/oauth/messages.ts"
import { Refusal } from "../../shared/refusals.ts"
import { type Credentials, isSecret, readCredentials } from "../access/credentials.ts"
import type { WhitelistEntry } from "../core/whitelist.ts"
import { admit, scopeFor } from "./admission.ts"
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
  const entry = authenticate(credentials, deps.whitelist.find(credentials.id, deps.now()))
  const caller = { entry, subject: entry.id, scope: scopeFor(entry, request) }
  const answer = await admit(caller, request, deps, options)
  if (!answer) throw new Refusal("invalid_client")
  return answer
}

function authenticate({ secret }: Credentials, entry: WhitelistEntry | undefined): WhitelistEntry {
  const matches = isSecret(secret, entry?.secretSha256)
  if (!entry || !matches) throw new Refusal("invalid_client")
  return entry
}
