/** Refuses a purchase while a paid grant, which the gate does not accept, shows that it would be useless. */
import { scopesOf } from "../core/challenge.ts"
import { PolicyRefusal } from "../core/errors.ts"
import { findUseless } from "../core/grant-rules.ts"
import type { Wallet } from "../wallet/wallet.ts"
import type { Offers } from "./offers.ts"

/** Throws `paid_without_access`, which names the grant. */
export async function requireUseful(
  { challenge, place }: Pick<Offers, "challenge" | "place">,
  wallet: Wallet,
  now: number,
): Promise<void> {
  const terms = { resource: place.resource, offered: scopesOf(challenge), now }
  const useless = findUseless(await wallet.listLiving(), terms)
  if (!useless) return
  throw new PolicyRefusal("paid_without_access", "The gate refuses a grant that is paid for.", {
    action: "stop",
    found: `grant ${useless.id} until ${Math.max(useless.expiresAt, useless.tokenExpiresAt)}`,
    wanted: "its end, or that the buyer forgets it",
  })
}
