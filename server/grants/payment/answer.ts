/** Answers a redeemed payment to its owner: with the token, or with a wait where the payment is settled first. */
import { Refusal } from "../../../shared/refusals.ts"
import { isIssued, whyOver } from "../../core/grant.ts"
import { settlementView } from "../../core/grant-view.ts"
import { settlementState } from "../../core/redemption.ts"
import type { Redeemed } from "../../ports/records.ts"
import { answerFrom, freshId, pendingAnswer } from "../answer.ts"
import { audiencesOf } from "../audience.ts"
import type { TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "../grant-type.ts"
import type { Located } from "./locate.ts"
import { type Repeated, requireOwner } from "./recall.ts"
import type { NewlyRedeemed } from "./redeem.ts"

/** Throws a Refusal for a repetition that is not its owner's, and for a grant that has ended. */
export async function answer(
  outcome: NewlyRedeemed | Repeated,
  located: Located,
  request: Pick<TokenRequest, "signal" | "claimProof" | "resource">,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TokenAnswer> {
  if (outcome.kind === "repeated") {
    requireOwner(outcome, located, deps, audiencesOf(request, options))
    const { id, keyThumbprint } = outcome.grant
    await request.claimProof(keyThumbprint === null ? { grantId: id } : undefined)
  }
  const known = isGiven(outcome) ? outcome : await awaitToken(outcome, request.signal, deps, options)
  const { grant, redemption } = await recovered(known, located, deps, options)
  const over = whyOver(grant, settlementState(redemption.state), deps.now())
  if (over) throw new Refusal(over)
  const view = settlementView(redemption)
  if (isIssued(grant) && isGiven({ grant, redemption }))
    return answerFrom(grant, view, outcome.kind === "repeated", deps, options)
  return pendingAnswer(view, outcome.kind === "redeemed" ? outcome.retrySecret : undefined, options)
}

/** Whether the purchase was delivered: a grant has its token, or a top-up has added to its grant. */
const isGiven = ({ grant, redemption: { topUp } }: Redeemed): boolean =>
  topUp ? topUp.gave !== null : isIssued(grant)

/**
 * A reused refresh token ended the grant: a thief may have it, but not the secret, so the secret gets the rest of the
 * purchase with tokens of its own. The secret of a further payment proves that payment only.
 */
async function recovered(
  known: Redeemed,
  { proof }: Located,
  deps: TokenDeps,
  { lives }: TokenOptions,
): Promise<Redeemed> {
  const { grant, redemption } = known
  const isOpener = grant.opening !== null && proof.opening === grant.opening && redemption.topUp === null
  if (grant.ended?.reason !== "refresh_token_reused" || !isOpener) return known
  const fresh = { id: freshId(deps.random), jti: freshId(deps.random), now: deps.now(), lives }
  const after = (await deps.store.recover({ key: redemption.key, ...fresh })) ?? known
  if (after.grant.id === fresh.id)
    deps.log.warn(
      { grant: fresh.id, before: grant.id },
      "a grant that a reused refresh token ended was recovered by the secret of its purchase",
    )
  return after
}

/** The stored row with its token once the payment settled, or the row without one when the wait reaches its limit. */
async function awaitToken(
  known: Redeemed,
  signal: AbortSignal,
  deps: TokenDeps,
  { lives }: TokenOptions,
): Promise<Redeemed> {
  const { key, state } = known.redemption
  const isPending = settlementState(state) === "pending"
  const outcome = (isPending && (await deps.waits.outcome(key, signal))) || known
  if (settlementState(outcome.redemption.state) !== "settled") return outcome
  const issued = await deps.store.issue({ key, jti: freshId(deps.random), now: deps.now(), lives })
  return issued ?? outcome
}
