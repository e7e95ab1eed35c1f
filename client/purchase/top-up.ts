/** A further payment for a grant in the wallet, instead of another grant. */

import { Ticket402Error } from "../core/errors.ts"
import type { Refresh } from "../wallet/refresh.ts"
import { refreshableFor, urlOf } from "../wallet/refreshable.ts"
import type { Grant } from "../wallet/store.ts"
import { type GrantSummary, summaryOf, type Wallet } from "../wallet/wallet.ts"
import { discard } from "../wire/bodies.ts"
import { readChallenge } from "../wire/read-challenge.ts"
import { exchangeInit } from "../wire/token-endpoint.ts"
import type { Purchases } from "./purchase.ts"
import type { Sale, Sales } from "./sale.ts"

export type TopUp = (url: string | URL, wanted: { readonly offer: string }) => Promise<GrantSummary>

export type TopUpDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly wallet: Wallet
  readonly sales: Sales
  readonly purchases: Purchases
  readonly refresh: Refresh
  readonly expectedCalls: number
  readonly timeoutMs: number
}

export function createTopUp(deps: TopUpDeps): TopUp {
  const { wallet, sales, purchases, refresh } = deps

  return async (url, { offer }) => {
    const asked = urlOf(url)
    const grant = await refreshableFor(wallet, asked)
    const since = purchases.tick()
    const sale = await ask(asked, grant, offer)
    try {
      const choice = await sales.choose(sale, deps.expectedCalls)
      const buy = (further: Grant, attempt: 1 | 2) =>
        purchases.buy({ ...sale, choice, since, attempt, arrived: async () => undefined, further })
      const { grant: after } = await buy(grant, 1).catch(async (error) => buy(await renewed(error, grant), 2))
      return summaryOf(after)
    } finally {
      discard(sale.response)
    }
  }

  /** What the office sells under that name, for this grant. */
  async function ask(asked: URL, grant: Grant, offer: string): Promise<Sale> {
    const endpoint = new URL(grant.tokenEndpoint)
    endpoint.searchParams.set("offer", offer)
    const response = await deps.fetch(endpoint, exchangeInit(deps.timeoutMs))
    const challenge = response.status === 402 ? await readChallenge(response, deps.timeoutMs) : undefined
    const sale = challenge && sales.enter(challenge, asked, response)
    if (sale && isOf(grant, sale)) return sale
    discard(response)
    throw new Ticket402Error("purchase_refused", "The token endpoint does not sell that.", { found: offer })
  }

  /** Where another store has refreshed the grant meanwhile, nothing was paid, and its newer token shows whose it is. */
  async function renewed(error: unknown, grant: Grant): Promise<Grant> {
    const isStale = error instanceof Ticket402Error && error.reason === "refresh_token_stale"
    const newest = isStale ? await refresh(grant) : undefined
    if (!newest) throw error
    return newest
  }
}

/** The refresh token that shows whose the grant is goes to the office that gave it, and to no other. */
const isOf = (grant: Grant, { place }: Sale): boolean =>
  place.resource.href === grant.resource && place.tokenEndpoint.href === grant.tokenEndpoint
