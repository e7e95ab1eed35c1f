/** Refuses a sale whose payment could not be settled now. */
import { nominalOf, type Payment } from "../../core/payment.ts"
import type { TokenDeps } from "../grant-type.ts"
import { requireSaleTime } from "./match.ts"
import type { Signed } from "./signature.ts"

/** Refuses a payment that is worth less than the gas of its settlement (SET-24). */
export async function requireWorth(payment: Payment, { funding }: Pick<TokenDeps, "funding">): Promise<void> {
  await funding.get(payment.network.id)?.requireWorth(nominalOf(payment))
}

/** Refuses while the asset is closed or the relayers lack gas. */
export async function requireOpen(
  { network, price }: Payment,
  { assets, funding }: Pick<TokenDeps, "assets" | "funding">,
): Promise<void> {
  assets.check(network.id, price.asset)
  await funding.get(network.id)?.check()
}

/** All of it, for a payment that might have been on the chain already and is not. */
export async function requireSale({ payment, free }: Signed, deps: TokenDeps): Promise<void> {
  requireSaleTime(payment, deps)
  if (free) return
  await requireWorth(payment, deps)
  await requireOpen(payment, deps)
}
