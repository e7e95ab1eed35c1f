/** Reads which grant a top-up is for, and decides whether the offer and that grant go together. */
import { networks } from "../../../shared/networks/index.ts"
import { findAsset } from "../../../shared/networks/network.ts"
import { Refusal } from "../../../shared/refusals.ts"
import type { Hex } from "../../../shared/values/evm.ts"
import { isOf } from "../../core/grant.ts"
import type { Offer } from "../../core/offers.ts"
import type { Payment } from "../../core/payment.ts"
import type { TopUp } from "../../core/top-up.ts"
import type { PaymentOrder, TopUpOrder } from "../../ports/records.ts"
import { freshId } from "../answer.ts"
import { audienceOf } from "../audience.ts"
import type { TokenDeps, TokenOptions, TokenRequest } from "../grant-type.ts"

/** The grant that a payment is for, as the refresh token of its holder names it. */
export type Target = { readonly grantId: string; readonly generation: number }

/** Undefined for a payment that opens a grant. Throws a Refusal for a refresh token that names no grant. */
export function readTarget(
  { parameters }: TokenRequest,
  { keys }: Pick<TokenDeps, "keys">,
): Target | undefined {
  const token = parameters.get("refresh_token")
  if (token === undefined) return undefined
  const target = typeof token === "string" ? keys.readRefreshToken(token) : undefined
  if (!target) throw new Refusal("refresh_token_invalid")
  return target
}

/** The order for the store. Throws a Refusal when the offer and the grant do not go together. */
export async function createTopUpOrder(
  order: PaymentOrder,
  { target, payment, opening }: { target: Target; payment: Payment; opening: Hex | null },
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TopUpOrder> {
  if (opening === null) throw new Refusal("commitment_mismatch", "A payment for a grant commits to it.")
  const found = await deps.store.findGrant({ by: "id", value: target.grantId })
  if (!found) throw new Refusal("grant_lost")
  const { grant, redemption } = found
  if (!isOf(grant, { resources: [audienceOf(request, options)] })) throw new Refusal("refresh_token_invalid")
  const from = grant.offer === null ? "unknown" : deps.board.find(grant.offer, () => 0)
  if (typeof from === "string" || !redemption) throw new Refusal("top_up_refused")
  // The unused part of a grant has no value in another currency.
  if (currencyOf(redemption) !== payment.asset.currency) throw new Refusal("offer_smaller")
  const { ref, scope, durationSeconds, units, dpop } = payment.offer
  return {
    ...order,
    grantId: grant.id,
    topUp: { opening, kind: kindOf(from, payment.offer), offer: { ref, scope, durationSeconds, units } },
    request: {
      generation: target.generation,
      keyThumbprint: request.keyThumbprint,
      needsKey: dpop === "required",
      from: from.ref,
    },
    jti: freshId(deps.random),
    lives: options.lives,
  }
}

/** An offer that gives the same extends the grant, even where its price has changed. */
const kindOf = (from: Offer, to: Offer): TopUp["kind"] =>
  from.scope === to.scope && from.durationSeconds === to.durationSeconds && from.units === to.units
    ? "extends"
    : "moves"

function currencyOf({ network, asset }: Pick<PaymentOrder, "network" | "asset">): string | undefined {
  const info = networks.get(network)
  return info && findAsset(info, asset)?.currency
}
