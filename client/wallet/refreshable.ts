/** Finds the grant that opens a URL and that a refresh token extends. */
import { Ticket402Error } from "../core/errors.ts"
import { isWithin, parseUrl } from "../core/origins.ts"
import type { Grant } from "./store.ts"
import type { Wallet } from "./wallet.ts"

export function urlOf(url: string | URL): URL {
  const found = parseUrl(String(url))
  if (!found) throw new Ticket402Error("option_invalid", "Wanted an absolute URL.", { found: String(url) })
  return found
}

/** The most recently used grant for the URL that can be refreshed. */
export async function refreshableFor(wallet: Wallet, asked: URL): Promise<Grant> {
  const found = (await wallet.listLiving()).find(
    ({ resource, refreshToken }) => refreshToken !== undefined && isWithin(new URL(resource), asked),
  )
  if (found) return found
  throw new Ticket402Error("grant_missing", "There is no grant for this URL in the wallet.", {
    found: asked.origin,
    action: "buy",
  })
}
