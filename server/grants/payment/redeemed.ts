/** The answer to a redeemed payment, for its owner: the token, or a wait for the money when it is settled first. */
import { Refusal } from "../../../shared/refusals.ts"
import { isIssued, whyOver } from "../../core/grant.ts"
import { settlementView } from "../../core/grant-view.ts"
import { settlementState } from "../../core/redemption.ts"
import type { Redeemed } from "../../ports/records.ts"
import { answerFrom, freshId, pendingAnswer } from "../answer.ts"
import type { TokenAnswer, TokenDeps, TokenOptions } from "../grant-type.ts"

export type Asking = {
  /** The payment was redeemed before. */
  readonly replayed: boolean
  /** Told to a buyer who has to wait and brought no proof of his own. */
  readonly retrySecret?: string | undefined
  readonly signal: AbortSignal
}

/** Throws a Refusal when nothing more comes of it. */
export async function answerRedeemed(
  known: Redeemed,
  { replayed, retrySecret, signal }: Asking,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TokenAnswer> {
  const { grant, redemption } = isGiven(known) ? known : await awaitToken(known, signal, deps, options)
  const over = whyOver(grant, settlementState(redemption.state), deps.now())
  if (over) throw new Refusal(over)
  const view = settlementView(redemption)
  return isIssued(grant) && isGiven({ grant, redemption })
    ? answerFrom(grant, view, replayed, deps, options)
    : pendingAnswer(view, retrySecret, options)
}

/** Whether what was bought is there: a grant with its token, or what a further payment gives to one. */
const isGiven = ({ grant, redemption: { topUp } }: Redeemed): boolean =>
  topUp ? topUp.gave !== null : isIssued(grant)

/** What is stored once the money is in, its token included; or as it was, when that takes longer than a request may. */
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
