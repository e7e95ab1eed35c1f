/** Refuses a payment that is worth less than the gas of its settlement (SET-24). */
import { nominalOf, type Payment } from "../../core/payment.ts"
import type { TokenDeps } from "../grant-type.ts"

export async function requireWorth(payment: Payment, { funding }: Pick<TokenDeps, "funding">): Promise<void> {
  await funding.get(payment.network.id)?.requireWorth(nominalOf(payment))
}
