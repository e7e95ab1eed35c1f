/** Revokes a token for its holder (RFC 7009): an access token alone, a refresh token with its grant. */
import { isMeantFor } from "../../shared/oauth/access-token.ts"
import { Refusal } from "../../shared/refusals.ts"
import type { Grant } from "../core/grant.ts"
import { clientIdPattern } from "../core/whitelist.ts"
import type { Whitelist } from "../feeds/whitelist-feed.ts"
import type { Keys } from "../ports/keys.ts"
import type { RevocationTarget } from "../ports/records.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import { type Store, StoreUnavailable } from "../ports/store.ts"
import { type Credentials, isSecret, readCredentials } from "./credentials.ts"

export type RevocationRequest = {
  /** The Authorization header. */
  readonly authorization: string | undefined
  readonly parameters: ReadonlyMap<string, unknown>
}

/** Resolves when the token is invalid, whether or not it was ever valid (RFC 7009 §2.2). */
export type Revocation = (request: RevocationRequest) => Promise<void>

export function createRevocation(
  deps: {
    readonly store: Pick<Store, "findGrant" | "revoke">
    readonly keys: Pick<Keys, "verify" | "readRefreshToken">
    readonly whitelist: Pick<Whitelist, "find">
    readonly now: Now
    readonly log: Logger
    /** A token or grant was revoked: the gate need not wait for its next poll. */
    readonly onEnded: () => void
  },
  options: { readonly issuer: string; readonly resources: readonly string[] },
): Revocation {
  const { store, keys, whitelist, now } = deps

  function authenticate(credentials: Credentials): void {
    const entry = whitelist.find(credentials.id, now())
    if (!isSecret(credentials.secret, entry?.secretSha256)) throw new Refusal("invalid_client")
  }

  async function targetOf(
    token: string,
  ): Promise<Extract<RevocationTarget, { kind: "grant" | "token" }> | undefined> {
    const refresh = keys.readRefreshToken(token)
    if (refresh) return { kind: "grant", grantId: refresh.grantId }
    const claims = (await keys.verify(token))?.claims
    if (!claims || !isMeantFor(claims, options)) return undefined
    return { kind: "token", grantId: claims.grant, jti: claims.jti, expiresAt: claims.exp }
  }

  async function revoke(token: string, credentials: Credentials | undefined): Promise<void> {
    const target = await targetOf(token)
    const found = target && (await store.findGrant({ by: "id", value: target.grantId }))
    if (!target || !found) return
    // For a payer's grant, possession of the token is the proof; a client also authenticates with its secret (RFC
    // 7009 §2.1).
    if (isClients(found.grant) && credentials?.id !== found.grant.subject) throw new Refusal("invalid_client")
    const { revoked } = await store.revoke({ target, by: "holder", note: null, now: now() })
    if (revoked === 0) return
    deps.log.info({ grant: target.grantId, what: target.kind }, "taken back by its holder")
    deps.onEnded()
  }

  return async (request) => {
    const token = request.parameters.get("token")
    if (typeof token !== "string") throw new Refusal("malformed", "Wanted token, a string.")
    const credentials = readCredentials(request)
    if (credentials) authenticate(credentials)
    try {
      await revoke(token, credentials)
    } catch (error) {
      if (error instanceof StoreUnavailable) throw new Refusal("revocation_unrecorded", undefined, error)
      throw error
    }
  }
}

const isClients = ({ subject }: Grant): boolean => clientIdPattern.test(subject)
