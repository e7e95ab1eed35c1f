/** Exchanges a signed x402 payment for a token, once. */
import { paymentGrantType } from "../../../shared/oauth/messages.ts"
import { audienceOf } from "../audience.ts"
import type { TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "../grant-type.ts"
import { answer } from "./answer.ts"
import { checkChain } from "./chain.ts"
import { requireCommitment } from "./commitment.ts"
import { locate } from "./locate.ts"
import { match } from "./match.ts"
import { recall } from "./recall.ts"
import { redeem } from "./redeem.ts"
import { checkSignature } from "./signature.ts"
import { findFreeEntry } from "./whitelist.ts"
import { requireWorth } from "./worth.ts"

export const grantType = paymentGrantType
export const parameters = ["payment", "refresh_token"] as const

/** The order protects the service: cheap checks precede costly ones, and nothing is used up before it is proven. */
export async function handle(
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TokenAnswer> {
  const located = locate(request)
  const earlier = await recall(located.payment.key, deps)
  if (earlier) return answer(earlier, located, request, deps, options)

  // Checked first: without a signing key a buyer without a proof could not return for the token that was paid for.
  deps.keys.check()
  const matched = match(located, request, deps)
  requireCommitment(matched, audienceOf(request, options))
  const entry = findFreeEntry(matched, deps)
  if (!entry) await requireWorth(matched.payment, deps)
  const signed = await checkSignature(matched, entry, deps)
  const checked = await checkChain(signed, deps)
  const outcome = checked.kind === "repeated" ? checked : await redeem(checked, request, deps, options)
  return answer(outcome, located, request, deps, options)
}
