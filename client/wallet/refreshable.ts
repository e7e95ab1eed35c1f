/** Finds the grant that opens a URL and that a refresh token extends. */
import { Ticket402Error } from "../core/errors.ts"
import { parseUrl } from "../core/origins.ts"
import type { Grant } from "./store.ts"
import type { Wallet } from "./wallet.ts"

export function urlOf(url: string | URL): URL {
  const found = parseUrl(String(url))
  if (!found) throw new Ticket402Error("option_invalid", "Wanted an absolute URL.", { found: String(url) })
  return found
}

/** The grant that opens the URL, most recently used first; one that a plain token opens is over with that token. */
export async function refreshableFor(wallet: Wallet, asked: URL): Promise<Grant> {
  const found = (await wallet.grantsFor(asked)).find(({ refreshToken }) => refreshToken !== undefined)
  if (found) return found
  throw new Ticket402Error("grant_missing", "There is no grant for this URL in the wallet.", {
    found: asked.origin,
    action: "buy",
  })
}
