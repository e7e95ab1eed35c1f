/** Builds the 200 answer of the token endpoint, the same for every grant type. */
import type { PendingResponse } from "../../shared/oauth/messages.ts"
import { claimsOf } from "../core/claims.ts"
import { type IssuedGrant, isRefreshable } from "../core/grant.ts"
import { grantBody, type SettlementView, settlementBody } from "../core/grant-view.ts"
import type { Random } from "../ports/runtime.ts"
import type { IssuedAnswer, PendingAnswer, TokenDeps, TokenOptions } from "./grant-type.ts"

/**
 * Delay before a buyer with a pending payment asks again: that request is held open too, as long as there is room.
 */
const askAgainSeconds = 5

export const pendingAnswer = (
  view: SettlementView,
  retrySecret: string | undefined,
  options: TokenOptions,
): PendingAnswer => ({
  kind: "pending",
  body: {
    status_url: options.statusEndpoint,
    ...(retrySecret !== undefined && { retry_secret: retrySecret }),
    settlement: settlementBody(view),
    next: { action: "retry", retryAfterSeconds: askAgainSeconds },
  } satisfies PendingResponse,
})

/** The token of a grant's stored row. Signing comes after the commit, so a crash between the two costs nothing. */
export async function answerFrom(
  grant: IssuedGrant,
  view: SettlementView,
  replayed: boolean,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<IssuedAnswer> {
  const { network, payer, transaction } = view
  const accessToken = await deps.keys.sign(claimsOf(grant, options))
  deps.onStep?.("token-signed")
  return {
    kind: "issued",
    body: {
      access_token: accessToken,
      token_type: grant.keyThumbprint === null ? "Bearer" : "DPoP",
      expires_in: Math.max(0, grant.token.expiresAt - deps.now()),
      scope: grant.scope,
      ...(isRefreshable(grant) && { refresh_token: deps.keys.refreshToken(grant.id, grant.generation) }),
      grant: grantBody(grant, view),
    },
    replayed,
    settlement: transaction && network && payer ? { success: true, transaction, network, payer } : undefined,
  }
}

/** 128 random bits. */
export const freshId = (random: Random): string => Buffer.from(random(16)).toString("base64url")
