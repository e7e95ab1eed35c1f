/** A further payment for a grant in the wallet, instead of another grant. */
import { discard } from "./bodies.ts"
import { TicketError } from "./errors.ts"
import { parseUrl } from "./origins.ts"
import type { Purchases } from "./purchase.ts"
import type { Refresh } from "./refresh.ts"
import type { Sale, Sales } from "./sale.ts"
import type { Grant } from "./store.ts"
import { type GrantSummary, summaryOf, type Wallet } from "./wallet.ts"

export type TopUp = (url: string | URL, wanted: { readonly offer: string }) => Promise<GrantSummary>

export type TopUpDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly wallet: Wallet
  readonly sales: Sales
  readonly purchases: Purchases
  readonly refresh: Refresh
  readonly expectedCalls: number
}

export function createTopUp({ fetch, wallet, sales, purchases, refresh, expectedCalls }: TopUpDeps): TopUp {
  return async (url, { offer }) => {
    const asked = urlOf(url)
    const grant = await refreshableFor(wallet, asked)
    const since = purchases.tick()
    const sale = await ask(asked, grant, offer)
    try {
      const choice = await sales.choose(sale, expectedCalls)
      const buy = (further: Grant) =>
        purchases.buy({ ...sale, choice, since, attempt: 1, arrived: async () => undefined, further })
      return summaryOf((await buy(grant).catch((error) => again(error, grant, buy))).grant)
    } finally {
      discard(sale.response)
    }
  }

  /** What the office sells under that name. */
  async function ask(asked: URL, grant: Grant, offer: string): Promise<Sale> {
    const endpoint = new URL(grant.tokenEndpoint)
    endpoint.searchParams.set("offer", offer)
    const response = await fetch(endpoint, { method: "POST", redirect: "manual" })
    const challenge = response.status === 402 ? await sales.read(response, endpoint) : undefined
    if (challenge) return sales.enter(challenge, asked, response)
    discard(response)
    throw new TicketError("purchase_refused", "The token endpoint does not sell that.", { found: offer })
  }

  /** Another process has refreshed the grant meanwhile: nothing was paid, and its newer token shows whose it is. */
  async function again<T>(error: unknown, grant: Grant, buy: (grant: Grant) => Promise<T>): Promise<T> {
    const isStale = error instanceof TicketError && error.reason === "refresh_token_stale"
    const renewed = isStale ? await refresh(grant) : undefined
    if (!renewed) throw error
    return buy(renewed)
  }
}

export function urlOf(url: string | URL): URL {
  const found = parseUrl(String(url))
  if (!found) throw new TicketError("option_invalid", "Wanted an absolute URL.", { found: String(url) })
  return found
}

/** The grant that opens the URL, most recently used first; one that a plain token opens is over with that token. */
export async function refreshableFor(wallet: Wallet, asked: URL): Promise<Grant> {
  const found = (await wallet.grantsFor(asked)).find(({ refreshToken }) => refreshToken !== undefined)
  if (found) return found
  throw new TicketError("grant_missing", "There is no grant for this URL in the wallet.", {
    found: asked.origin,
    action: "buy",
  })
}
