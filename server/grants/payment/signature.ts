/** Checks the payer's signature, and counts the payment against the payer once it is known to be genuine. */
import { domainOf } from "../../../shared/networks/network.ts"
import { Refusal } from "../../../shared/refusals.ts"
import type { Payment } from "../../core/payment.ts"
import type { WhitelistEntry } from "../../core/whitelist.ts"
import type { TokenDeps } from "../grant-type.ts"
import { requireChain } from "./connection.ts"
import type { Matched } from "./match.ts"

export type Signed = Matched & {
  /** False for a payer with code: only the chain can judge its signature. */
  readonly byKey: boolean
  /** The whitelist entry by which the payer is not charged. */
  readonly free: WhitelistEntry | undefined
}

/** Spends nothing of the payer's rate for a signature that is not the payer's: anybody could exhaust it otherwise. */
export async function checkSignature(
  matched: Matched,
  entry: WhitelistEntry | undefined,
  deps: TokenDeps,
): Promise<Signed> {
  const { payer } = matched.payment.transfer
  await deps.payers.check(payer)
  const byKey = await isSignedByKey(matched.payment, deps)
  if (byKey) await deps.payers.take(payer)
  // A contract's signature admits nobody free of charge (WL-08).
  return { ...matched, byKey, free: byKey ? entry : undefined }
}

/**
 * False for a payer with code; throws for any other payer whose signature is wrong. A nonsense signature costs at
 * most one look for code, from a separate budget.
 */
async function isSignedByKey(payment: Payment, deps: TokenDeps): Promise<boolean> {
  const domain = domainOf(payment.network, payment.asset)
  const verdict = await payment.scheme.verify(payment.transfer, domain, deps.recover)
  if (verdict === "valid") return true
  const chain = requireChain(deps.contracts, payment.network.id)
  await chain.ready()
  if (!(await chain.hasCode(payment.transfer.payer))) throw new Refusal(verdict)
  return false
}
