/** Tops up a grant in the wallet by a further payment, instead of buying another grant. */
import { Ticket402Error } from "../core/errors.ts"
import { requireKnown } from "../core/option-names.ts"
import { identifierOf } from "../core/origins.ts"
import type { Refresh } from "../wallet/refresh.ts"
import { refreshableFor, urlOf } from "../wallet/refreshable.ts"
import type { Grant } from "../wallet/store.ts"
import { type GrantSummary, summaryOf, type Wallet } from "../wallet/wallet.ts"
import { discard } from "../wire/bodies.ts"
import { readChallenge } from "../wire/read-challenge.ts"
import { exchangeInit } from "../wire/token-endpoint.ts"
import type { OfferReader, Offers } from "./offers.ts"
import type { Purchases } from "./purchase.ts"

export type TopUp = (url: string | URL, order: { readonly offer: string }) => Promise<GrantSummary>

export type TopUpDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly wallet: Wallet
  readonly offerReader: OfferReader
  readonly purchases: Purchases
  readonly refresh: Refresh
  readonly expectedCalls: number
  readonly timeoutMs: number
}

export function createTopUp(deps: TopUpDeps): TopUp {
  const { wallet, offerReader, purchases, refresh } = deps

  return async (url, order) => {
    requireKnown(order, { offer: true })
    const { offer } = order
    const asked = urlOf(url)
    const grant = await refreshableFor(wallet, asked)
    const since = purchases.tick()
    const offers = await readOffers(asked, grant, offer)
    try {
      const choice = await offerReader.chooseOffer(offers, deps.expectedCalls)
      const buy = (topUpOf: Grant, attempt: 1 | 2) =>
        purchases.buy({ ...offers, choice, since, attempt, findArrived: async () => undefined, topUpOf })
      const { grant: after } = await buy(grant, 1).catch(async (error) => buy(await renew(error, grant), 2))
      return summaryOf(after)
    } finally {
      discard(offers.response)
    }
  }

  /** The offers that the token endpoint has under that name for this grant. */
  async function readOffers(asked: URL, grant: Grant, offer: string): Promise<Offers> {
    const endpoint = new URL(grant.tokenEndpoint)
    endpoint.searchParams.set("offer", offer)
    endpoint.searchParams.set("resource", identifierOf(grant.resource))
    const response = await deps.fetch(endpoint, exchangeInit(deps.timeoutMs))
    const challenge = response.status === 402 ? await readChallenge(response, deps.timeoutMs) : undefined
    const offers = challenge && offerReader.requirePayable(challenge, asked, response)
    if (offers && isSoldBy(grant, offers)) return offers
    discard(response)
    throw new Ticket402Error("purchase_refused", "The token endpoint does not sell that.", { found: offer })
  }

  /** The newer grant when another client of the store has refreshed it meanwhile: then nothing was paid. */
  async function renew(error: unknown, grant: Grant): Promise<Grant> {
    const isStale = error instanceof Ticket402Error && error.reason === "refresh_token_stale"
    const newest = isStale ? await refresh(grant) : undefined
    if (!newest) throw error
    return newest
  }
}

/** The payment carries the grant's refresh token, which goes to the token endpoint that issued it and to no other. */
const isSoldBy = (grant: Grant, { place }: Offers): boolean =>
  place.resource.href === grant.resource && place.tokenEndpoint.href === grant.tokenEndpoint
