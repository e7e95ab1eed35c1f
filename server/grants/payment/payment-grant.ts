/** Exchanges a signed x402 payment for a token, once. */
import { paymentGrantType } from "../../../shared/oauth/messages.ts"
import { audienceOf } from "../audience.ts"
import type { TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "../grant-type.ts"
import { answer } from "./answer.ts"
import { requireApproval } from "./approval.ts"
import { checkChain } from "./chain.ts"
import { claim } from "./claim.ts"
import { requireCommitment } from "./commitment.ts"
import { locate } from "./locate.ts"
import { match, showsSecret } from "./match.ts"
import { mayClaim, type Repeated, recall } from "./recall.ts"
import { type NewlyRedeemed, redeem } from "./redeem.ts"
import { requireWorth } from "./sale.ts"
import { checkSignature } from "./signature.ts"
import { findFreeEntry } from "./whitelist.ts"

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
  if (earlier && !mayClaim(earlier, located, deps)) return answer(earlier, located, request, deps, options)

  // Checked first: without a signing key a buyer without a proof could not return for the token that was paid for.
  deps.keys.check()
  const matched = match(located, request, deps)
  requireCommitment(matched, audienceOf(request, options))
  const entry = findFreeEntry(matched, deps)
  if (!entry && !showsSecret(matched)) await requireWorth(matched.payment, deps)
  const signed = await checkSignature(matched, entry, deps)
  const checked = await checkChain(signed, deps)
  if (checked.kind === "checked" && !checked.free) await requireApproval(checked, deps)
  const outcome = await conclude(checked, request, deps, options)
  return answer(outcome, located, request, deps, options)
}

function conclude(
  checked: Awaited<ReturnType<typeof checkChain>>,
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<NewlyRedeemed | Repeated> | Repeated {
  switch (checked.kind) {
    case "repeated":
      return checked
    case "on_chain":
      return claim(checked, request, deps, options)
    case "checked":
      return redeem(checked, request, deps, options)
  }
}
