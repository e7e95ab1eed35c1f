/** Answers introspection (RFC 7662): the present state of a token, for listed services. */
import { type Claims, isExpired, isMeantFor } from "../../shared/oauth/access-token.ts"
import type { IntrospectionResponse } from "../../shared/oauth/messages.ts"
import { Refusal } from "../../shared/refusals.ts"
import { type Grant, isIssued, whyOver } from "../core/grant.ts"
import { grantBody, type SettlementView, settlementView } from "../core/grant-view.ts"
import { feedMaximumSeconds } from "../feeds/feed.ts"
import type { Revocations } from "../feeds/revocation-feed.ts"
import type { Whitelist } from "../feeds/whitelist-feed.ts"
import type { Keys } from "../ports/keys.ts"
import type { Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { isSecret, readCredentials } from "./credentials.ts"

export type IntrospectionRequest = {
  /** The Authorization header. */
  readonly authorization: string | undefined
  readonly parameters: ReadonlyMap<string, unknown>
}

export type Introspection = (request: IntrospectionRequest) => Promise<IntrospectionResponse>

/** A service that may introspect. */
export type IntrospectionClient = { readonly clientId: string; readonly secretSha256: string }

/** The answer for an invalid token says nothing else, so that nobody learns from it (RFC 7662 §2.2). */
const inactive: IntrospectionResponse = { active: false }

export function createIntrospection(
  deps: {
    readonly store: Pick<Store, "findGrant">
    readonly keys: Pick<Keys, "verify" | "readRefreshToken">
    readonly revocations: Pick<Revocations, "age" | "reasonFor">
    readonly whitelist: Pick<Whitelist, "age" | "find">
    readonly now: Now
  },
  options: {
    readonly issuer: string
    readonly resources: readonly string[]
    readonly clients: readonly IntrospectionClient[]
  },
): Introspection {
  const { store, keys, revocations, whitelist, now } = deps
  const secrets = new Map(options.clients.map(({ clientId, secretSha256 }) => [clientId, secretSha256]))

  function authenticate(request: IntrospectionRequest): void {
    const credentials = readCredentials(request)
    if (!credentials || !isSecret(credentials.secret, secrets.get(credentials.id)))
      throw new Refusal("invalid_client")
  }

  /** The grant, while it yields tokens. */
  async function livingGrant(id: string): Promise<{ grant: Grant; view: SettlementView } | undefined> {
    const found = await store.findGrant({ by: "id", value: id })
    if (!found) return undefined
    const view = settlementView(found.redemption)
    return whyOver(found.grant, view.state, now()) ? undefined : { grant: found.grant, view }
  }

  /** Judges the token as the gate does, for any route. */
  function isGood(claims: Claims): boolean {
    const stale = claims.paid ? !claims.settled && revocations.age() : whitelist.age()
    if (Number(stale) > feedMaximumSeconds) throw new Refusal("store_unavailable")
    const stands = claims.paid || whitelist.find(claims.sub, claims.iat) !== undefined
    return stands && !revocations.reasonFor(claims) && !isExpired(claims, now())
  }

  async function ofAccessToken(token: string): Promise<IntrospectionResponse> {
    const claims = (await keys.verify(token))?.claims
    if (!claims || !isMeantFor(claims, options) || !isGood(claims)) return inactive
    const living = await livingGrant(claims.grant)
    if (!living) return inactive
    const { grant: _, ...said } = claims
    const token_type = claims.cnf ? "DPoP" : "Bearer"
    return { active: true, token_type, ...said, grant: grantBody(living.grant, living.view) }
  }

  async function ofRefreshToken(grantId: string, generation: number): Promise<IntrospectionResponse> {
    const living = await livingGrant(grantId)
    if (living?.grant.generation !== generation) return inactive
    const { grant, view } = living
    if (!isIssued(grant)) return inactive
    const stands = grant.paid || whitelist.find(grant.subject, grant.startsAt) !== undefined
    if (!stands) return inactive
    return {
      active: true,
      iss: options.issuer,
      sub: grant.subject,
      client_id: grant.subject,
      iat: grant.token.issuedAt,
      exp: grant.expiresAt,
      scope: grant.scope,
      paid: grant.paid,
      ...(grant.keyThumbprint !== null && { cnf: { jkt: grant.keyThumbprint } }),
      grant: grantBody(grant, view),
    }
  }

  return async (request) => {
    authenticate(request)
    const token = request.parameters.get("token")
    if (typeof token !== "string") throw new Refusal("malformed", "Wanted token, a string.")
    const refresh = keys.readRefreshToken(token)
    return refresh ? ofRefreshToken(refresh.grantId, refresh.generation) : ofAccessToken(token)
  }
}
