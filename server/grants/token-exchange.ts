/** Derives a token with less scope, units and life from a holder's own, for a sub-agent (RFC 8693). */
import { isMeantFor } from "../../shared/oauth/access-token.ts"
import { tokenExchangeGrantType, tokenTypes } from "../../shared/oauth/messages.ts"
import { longestTokenSeconds } from "../../shared/oauth/revocation.ts"
import { Refusal } from "../../shared/refusals.ts"
import { scopeSchema } from "../core/claims.ts"
import type { PresentedToken } from "../core/derive.ts"
import { settlementView } from "../core/grant-view.ts"
import { mostUnits } from "../core/units.ts"
import { answerFrom, freshId } from "./answer.ts"
import { audiencesOf } from "./audience.ts"
import type { TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "./grant-type.ts"
import { claimProofFor } from "./proof-claim.ts"

export const grantType = tokenExchangeGrantType
export const parameters = [
  "subject_token",
  "subject_token_type",
  "requested_token_type",
  "actor_token",
  "resource",
  "audience",
  "scope",
  "units",
  "expires_in",
  "dpop_jkt",
] as const

/** The grant of the presented token, and the end of that token's life. */
type Presented = {
  readonly grantId: string
  readonly generation: number | null
  readonly shownUntil: number | null
  readonly shown: PresentedToken | null
}

export async function handle(
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TokenAnswer> {
  const asked = read(request, options)
  const shown = await readSubject(asked.subjectToken, asked.subjectTokenType, deps, options)
  deps.keys.check()
  await claimProofFor(shown.grantId, request, deps)
  const outcome = await deps.store.derive({
    ...shown,
    resources: asked.audience === null ? audiencesOf(request, options) : [asked.audience],
    keyThumbprint: request.keyThumbprint,
    id: freshId(deps.random),
    jti: freshId(deps.random),
    scope: asked.scope,
    units: asked.units,
    lifeSeconds: asked.lifeSeconds ?? options.lives.full,
    boundTo: asked.boundTo,
    now: deps.now(),
  })
  if (!outcome) throw new Refusal("grant_lost")
  const { decision, redemption } = outcome
  if (decision.kind === "refused") throw new Refusal(decision.reason)
  const { grant } = decision
  deps.log.info({ grant: grant.id, parent: grant.parent }, "token derived")
  const answer = await answerFrom(grant, settlementView(redemption), false, deps, options)
  // Only the parent's answers report a settlement.
  return { ...answer, body: { ...answer.body, issued_token_type: tokenTypes.access }, settlement: undefined }
}

function read({ parameters, resource }: TokenRequest, { resources }: TokenOptions) {
  const text = (name: string): string | null => textOf(parameters, name)
  const [subjectToken, subjectTokenType] = [text("subject_token"), text("subject_token_type")]
  if (subjectToken === null || subjectTokenType === null)
    throw new Refusal("malformed", "Wanted subject_token and subject_token_type.")
  if (text("actor_token") !== null) throw new Refusal("malformed", "Wanted no actor_token.")
  const requested = text("requested_token_type")
  if (requested !== null && requested !== tokenTypes.access)
    throw new Refusal("malformed", `Wanted requested_token_type ${tokenTypes.access}.`)
  const audience = text("audience")
  if (audience !== null && (!resources.includes(audience) || audience !== (resource ?? audience)))
    throw new Refusal("invalid_target")
  return {
    subjectToken,
    subjectTokenType,
    audience,
    scope: scopeOf(text("scope")),
    units: wholeOf("units", text("units"), mostUnits),
    lifeSeconds: wholeOf("expires_in", text("expires_in"), longestTokenSeconds),
    boundTo: thumbprintOf(text("dpop_jkt")),
  }
}

async function readSubject(
  token: string,
  type: string,
  { keys, now }: TokenDeps,
  options: TokenOptions,
): Promise<Presented> {
  switch (type) {
    case tokenTypes.access: {
      const claims = (await keys.verify(token))?.claims
      if (!claims || !isMeantFor(claims, options) || claims.exp <= now())
        throw new Refusal("subject_token_invalid")
      return {
        grantId: claims.grant,
        generation: null,
        shownUntil: claims.exp,
        shown: { jti: claims.jti, issuedAt: claims.iat },
      }
    }
    case tokenTypes.refresh: {
      const read = keys.readRefreshToken(token)
      if (!read) throw new Refusal("subject_token_invalid")
      return { ...read, shownUntil: null, shown: null }
    }
    default:
      throw new Refusal("malformed", `Wanted subject_token_type ${Object.values(tokenTypes).join(" or ")}.`)
  }
}

function textOf(parameters: TokenRequest["parameters"], name: string): string | null {
  const value = parameters.get(name)
  if (value === undefined) return null
  if (typeof value !== "string") throw new Refusal("malformed", `Wanted ${name}, a string.`)
  return value
}

function scopeOf(text: string | null): string | null {
  if (text === null) return null
  if (!scopeSchema.safeParse(text).success) throw new Refusal("invalid_scope")
  return [...new Set(text.split(" "))].join(" ")
}

function wholeOf(name: string, text: string | null, most: number): number | null {
  if (text === null) return null
  const value = /^[1-9][0-9]{0,12}$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= most)) throw new Refusal("malformed", `Wanted ${name}, a whole number from 1 to ${most}.`)
  return value
}

/** RFC 7638 with SHA-256, as `cnf.jkt` has it. */
function thumbprintOf(text: string | null): string | null {
  if (text !== null && !/^[A-Za-z0-9_-]{43}$/.test(text))
    throw new Refusal("malformed", "Wanted dpop_jkt, the thumbprint of a key.")
  return text
}
