/** Issues another token from a living grant by rotating its refresh token (RFC 6749 §6). */

import { refreshGrantType } from "../../shared/oauth/messages.ts"
import { Refusal } from "../../shared/refusals.ts"
import { openingOf } from "../../shared/x402/commitment.ts"
import type { IssuedGrant } from "../core/grant.ts"
import { settlementView } from "../core/grant-view.ts"
import { answerFrom, freshId } from "./answer.ts"
import { audiencesOf } from "./audience.ts"
import type { TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "./grant-type.ts"
import { claimProofFor } from "./proof-claim.ts"

export const grantType = refreshGrantType
export const parameters = ["refresh_token"] as const

export async function handle(
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TokenAnswer> {
  const token = request.parameters.get("refresh_token")
  if (typeof token !== "string") throw new Refusal("malformed", "Wanted refresh_token, a string.")
  const read = deps.keys.readRefreshToken(token)
  if (!read) throw new Refusal("refresh_token_invalid")

  // A rotation without an answer would look like a stolen token when the buyer refreshes again.
  deps.keys.check()
  await claimProofFor(read.grantId, request, deps)
  const peer = deps.keys.seal(`peer ${request.peer}`)
  const outcome = await deps.store.rotate({
    grantId: read.grantId,
    generation: read.generation,
    opening: request.secret === undefined ? null : openingOf(request.secret),
    keyThumbprint: request.keyThumbprint,
    resources: audiencesOf(request, options),
    peer,
    jti: freshId(deps.random),
    now: deps.now(),
    lives: options.lives,
  })
  // The token is genuine, so its grant existed: the books were restored or begun anew.
  if (!outcome) throw new Refusal("grant_lost")
  const { decision, redemption } = outcome
  if (decision.kind === "refused") {
    if (decision.grant?.ended) deps.onEnded()
    throw new Refusal(decision.reason)
  }
  if (decision.kind === "repeated") logRepeat(decision.grant, peer, deps)
  deps.onStep?.("refresh-rotated")
  return answerFrom(decision.grant, settlementView(redemption), decision.kind === "repeated", deps, options)
}

/** Logs a repeat from another address: a thief as quick as the owner otherwise looks like a second tab. */
function logRepeat({ id, rotation }: IssuedGrant, peer: string, { log }: Pick<TokenDeps, "log">): void {
  if (rotation && rotation.by !== peer)
    log.warn(
      { grant: id, repeats: rotation.repeats },
      "one refresh token was shown by two addresses within seconds of its rotation",
    )
}
