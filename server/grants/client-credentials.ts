/** The client credentials grant (RFC 6749 §4.4): whitelisted internal services get tokens for their secret. */
import { timingSafeEqual } from "node:crypto"
import { Refusal } from "../../shared/errors.ts"
import { clientCredentialsGrantType } from "../../shared/oauth.ts"
import { firstToken } from "../core/grant.ts"
import { includesScope, type WhitelistEntry } from "../core/whitelist.ts"
import { answerFrom, freshId, sha256Hex } from "./answer.ts"
import type { TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "./grant-type.ts"

export const grantType = clientCredentialsGrantType
export const parameters = ["client_id", "client_secret", "scope"] as const

type Credentials = { readonly id: string; readonly secret: string }

export async function handle(
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TokenAnswer> {
  const credentials = readCredentials(request)
  const now = deps.now()
  const entry = authenticate(credentials, deps.whitelist.find(credentials.id, now))
  const scope = scopeFor(entry, request.parameters.get("scope"))
  const expiresAt = now + options.lives.full
  const outcome = await deps.store.admit({
    grant: {
      id: freshId(deps.random),
      offer: null,
      scope,
      subject: entry.id,
      paid: false,
      startsAt: now,
      expiresAt,
      // No secret, so no refresh token: the client comes again with its credentials (RFC 6749 §4.4.3).
      opening: null,
      idempotencyHash: null,
      token: firstToken({ expiresAt, opening: null, paid: false }, freshId(deps.random), now, options.lives),
    },
    secretSha256: sha256Hex(credentials.secret),
    now,
  })
  // Taken off the list, or given another secret, since this process read it.
  if (outcome.kind === "refused") throw new Refusal("invalid_client")
  deps.log.info({ grant: outcome.grant.id, client: entry.id }, "client admitted")
  return answerFrom(outcome.grant, { state: "none" }, false, deps, options)
}

/** RFC 6749 §2.3: by HTTP Basic or in the body, and never both. */
function readCredentials({ authorization, parameters: given }: TokenRequest): Credentials {
  const inBody = given.has("client_id") || given.has("client_secret")
  if (authorization !== undefined) {
    if (inBody) throw new Refusal("malformed", "Found client credentials in the header and in the body.")
    const credentials = readBasic(authorization)
    if (!credentials) throw new Refusal("invalid_client")
    return credentials
  }
  const [id, secret] = [given.get("client_id"), given.get("client_secret")]
  if (id === undefined || secret === undefined) throw new Refusal("invalid_client")
  if (typeof id !== "string" || typeof secret !== "string")
    throw new Refusal("malformed", "Wanted client_id and client_secret, strings.")
  return { id, secret }
}

/** RFC 6749 §2.3.1: both parts are form-urlencoded before they are joined by a colon. */
function readBasic(authorization: string): Credentials | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]{1,4096}={0,2})$/i.exec(authorization)?.[1]
  const bytes = encoded === undefined ? undefined : Buffer.from(encoded, "base64")
  if (!bytes || bytes.toString("base64") !== encoded) return undefined
  const joined = bytes.toString("utf8")
  const colon = joined.indexOf(":")
  const [id, secret] = [joined.slice(0, colon), joined.slice(colon + 1)].map(formDecode)
  return colon === -1 || id === undefined || secret === undefined ? undefined : { id, secret }
}

function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "))
  } catch {
    return undefined
  }
}

/** What an unknown client's secret is compared with, so that it takes as long to refuse as a wrong secret (WL-13). */
const nobodys = "0".repeat(64)

function authenticate({ secret }: Credentials, entry: WhitelistEntry | undefined): WhitelistEntry {
  const wanted = Buffer.from(entry?.secretSha256 ?? nobodys, "hex")
  const matches = timingSafeEqual(Buffer.from(sha256Hex(secret), "hex"), wanted)
  if (!entry || !matches) throw new Refusal("invalid_client")
  return entry
}

/** All that the entry has, or the part of it that is asked for (RFC 6749 §3.3). */
function scopeFor(entry: WhitelistEntry, wanted: unknown): string {
  if (wanted === undefined) return entry.scope
  if (typeof wanted !== "string") throw new Refusal("malformed", "Wanted scope, a string.")
  if (!includesScope(entry.scope, wanted)) throw new Refusal("invalid_scope")
  return [...new Set(wanted.split(" "))].join(" ")
}
