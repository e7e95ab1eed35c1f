/** Finds the whitelist entry by which a payer gets the offer without being charged. */
import { accountId } from "../../../shared/values/evm.ts"
import { includesScope, type WhitelistEntry } from "../../core/whitelist.ts"
import type { TokenDeps } from "../grant-type.ts"
import type { Matched } from "./match.ts"

/**
 * Without a commitment the payment may have been made for another service, and one that was made public there would be a
 * free token. A scope that the entry does not cover is bought. A top-up is paid for like the grant that it adds to.
 */
export function findFreeEntry(
  { payment, opening, target }: Matched,
  deps: Pick<TokenDeps, "whitelist" | "now">,
): WhitelistEntry | undefined {
  if (opening === null || target) return undefined
  const entry = deps.whitelist.find(accountId(payment.network.id, payment.transfer.payer), deps.now())
  return entry && includesScope(entry.scope, payment.offer.scope) ? entry : undefined
}
