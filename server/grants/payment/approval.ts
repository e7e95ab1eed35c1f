/** Asks the seller's own function before a sale. A payment that it refuses, or does not decide in time, stays unused. */
import { setTimeout as sleep } from "node:timers/promises"
import { Refusal } from "../../../shared/refusals.ts"
import type { BeforeSale, Sale, SaleDecision } from "../../core/sale.ts"
import type { TokenDeps } from "../grant-type.ts"
import type { Checked } from "./chain.ts"

/** Longest time for a decision. */
const decisionMilliseconds = 2000
/** RFC 6749 §5.2. */
const publicText = /^[\x20-\x21\x23-\x5B\x5D-\x7E]{1,200}$/

/** Throws a Refusal: `sale_refused`, or `sale_undecided` when the function fails or takes too long. */
export async function requireApproval(
  checked: Checked,
  deps: Pick<TokenDeps, "beforeSale" | "log">,
): Promise<void> {
  if (!deps.beforeSale) return
  const decision = await decide(deps.beforeSale, saleOf(checked)).catch((error: unknown) => {
    throw new Refusal("sale_undecided", undefined, error)
  })
  if (decision !== undefined) throw new Refusal("sale_refused", decision.refuse)
}

async function decide(beforeSale: BeforeSale, sale: Sale): Promise<SaleDecision> {
  const decided = new AbortController()
  const late = sleep(decisionMilliseconds, undefined, { signal: decided.signal }).then(() => {
    throw new Error(`beforeSale did not decide within ${decisionMilliseconds} ms`)
  })
  try {
    const decision = await Promise.race([late, beforeSale(sale)])
    if (decision === undefined || publicText.test(decision.refuse)) return decision
    throw new TypeError("beforeSale: wanted undefined, or refuse with 1 to 200 plain characters")
  } finally {
    decided.abort()
    late.catch(() => undefined)
  }
}

const saleOf = ({ payment, target }: Checked): Sale => ({
  offer: payment.offer.id,
  scope: payment.offer.scope,
  payer: payment.transfer.payer,
  network: payment.network.id,
  asset: payment.price.asset,
  value: payment.transfer.value,
  grant: target?.grantId ?? null,
})
