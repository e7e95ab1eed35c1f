/** One call: send, and where the gate says 402 or 401, refresh or buy at most once and send again. */

import type { Fetch } from "../core/call.ts"
import type { Challenge } from "../core/challenge.ts"
import { Ticket402Error } from "../core/errors.ts"
import type { ClientEvent } from "../core/events.ts"
import { isWithin, parseUrl } from "../core/origins.ts"
import type { Choice } from "../core/policy.ts"
import { waitFor } from "../core/waiting.ts"
import type { PayForCall } from "../purchase/pay-per-call.ts"
import type { Purchases } from "../purchase/purchase.ts"
import type { Sale, Sales } from "../purchase/sale.ts"
import type { Admit } from "../purchase/wallet-proof.ts"
import type { Refresh } from "../wallet/refresh.ts"
import { createRenewals } from "../wallet/renewal.ts"
import { type ClientStore, type Grant, keyOf } from "../wallet/store.ts"
import type { Wallet } from "../wallet/wallet.ts"
import { discard, orDiscard } from "../wire/bodies.ts"
import type { Provers } from "../wire/dpop.ts"
import { isPlain, type PlainChallenge } from "../wire/plain-x402.ts"
import {
  type Credential,
  createHops,
  isIdempotent,
  type RepeatableRequest,
  repeatable,
  send,
} from "../wire/request.ts"

export type FetchDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly now: () => number
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly provers: Provers
  readonly sales: Sales
  readonly expectedCalls: number
  readonly purchases: Purchases
  readonly payForCall: PayForCall
  readonly refresh: Refresh
  /** Absent for an account that nobody has listed. */
  readonly admit: Admit | undefined
  readonly emit: (event: ClientEvent) => void
}

export function createFetch(deps: FetchDeps): Fetch {
  const { store, wallet, sales, purchases, payForCall, refresh, emit } = deps
  const renewals = createRenewals(deps)

  return async (input, init, plans) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    // Who brings credentials of his own does not want ours, nor to pay.
    if (headers.has("authorization")) return deps.fetch(input, init)
    const request = await repeatable(input, init)
    try {
      return await call(request, plans?.expectedCalls ?? deps.expectedCalls)
    } catch (error) {
      if (error instanceof Ticket402Error)
        emit({ type: "refused", origin: request.url.origin, code: error.code })
      throw error
    }
  }

  async function call(first: RepeatableRequest, expectedCalls: number): Promise<Response> {
    const { signal } = first
    /** The hop of a redirect chain that is being asked; a repetition never starts the chain anew (CLI-17). */
    let request = first
    let grant = (await wallet.grantsFor(request.url))[0]
    const since = purchases.tick()
    const next = createHops()
    let refreshed = false
    let bought = false
    let admitted = false
    let attempt: 1 | 2 = 1
    /** What a payment that was shown at the door has brought. */
    let paidAnswer: Response | undefined
    const unsuitable = new Set<string>()

    for (;;) {
      if (grant && !refreshed && renewals.isDue(grant)) {
        refreshed = true
        grant = await waitFor(refresh(grant), signal)
      } else if (grant) renewals.beside(grant)
      const response = paidAnswer ?? (await send(deps.fetch, request, grant && credentialOf(grant)))
      paidAnswer = undefined

      const target = next(request, response)
      if (target) {
        discard(response)
        request = target
        if (!grant || !isWithin(new URL(grant.resource), target.url))
          grant = (await wallet.grantsFor(target.url))[0]
        continue
      }

      const isRefused = response.status === 401 || response.status === 402
      if (!isRefused) return response
      let challenge: Challenge | PlainChallenge | undefined
      if (response.status === 402) {
        if (bought) return response
        challenge = await orDiscard(response, () => sales.read(response, request.url))
        if (!challenge) {
          emit({ type: "ignored", origin: request.url.origin })
          return response
        }
      }

      if (grant && mayBeCured(grant, request, response, challenge)) {
        const held = grant
        const newest = await orDiscard(response, () => renew(held))
        if (newest === "tried") {
          // A gate that does not know the token even when it is fresh never will (CLI-16).
          if (response.status === 401) await store.forget(grant)
          return response
        }
        if (newest) {
          discard(response)
          grant = newest
          continue
        }
      }
      // A 401 says that the token is aimed at somebody else; paying would not change that.
      if (!challenge) return response

      if (grant) unsuitable.add(keyOf(grant))
      const { url } = request
      const found = challenge
      const sale = await orDiscard(response, () => sales.enter(found, url, response))
      if (isPlain(challenge)) {
        bought = true
        grant = undefined
        const choose = (): Promise<Choice> => sales.choose(sale, expectedCalls)
        const order = { request, sale, challenge, choose }
        paidAnswer = await orDiscard(response, () => waitFor(() => payForCall(order), signal))
      } else grant = await orDiscard(response, () => obtain(sale))
      discard(response)
    }

    /** The grant with a newer token, by at most one refresh per call; undefined when it is over. */
    async function renew(held: Grant): Promise<Grant | "tried" | undefined> {
      const current = await wallet.current(held)
      // Another call has refreshed it meanwhile, or found it over.
      if (current?.accessToken !== held.accessToken) return current
      if (refreshed) return "tried"
      refreshed = true
      return waitFor(refresh(current), signal)
    }

    /** A grant for the sale, from the wallet or by a purchase; undefined when the offers have to be read again. */
    async function obtain(sale: Sale): Promise<Grant | undefined> {
      const arrived = (): Promise<Grant | undefined> => sales.held(sale, unsuitable)
      const held = await arrived()
      if (held) return held
      const { challenge, place } = sale
      renewals.throwRefused(place.resource.href)
      if (deps.admit && !admitted) {
        admitted = true
        const grant = await waitFor(deps.admit(challenge, place), signal)
        if (grant) return grant
      }
      const choice = await sales.choose(sale, expectedCalls)
      try {
        const order = { choice, challenge, place, since, attempt, arrived }
        const { grant, isNew } = await waitFor(() => purchases.buy(order), signal)
        bought = isNew
        return grant
      } catch (error) {
        // The offers may have changed: read them once more, and sign once more (wire.md §8).
        if (!isCorrectable(error) || attempt === 2) throw error
        attempt = 2
        return undefined
      }
    }
  }

  function credentialOf({ accessToken, proofKey }: Grant): Credential {
    return { accessToken, prover: deps.provers(proofKey) }
  }
}

/**
 * Whether a newer token of the grant could make the gate open: it must be the gate that refuses, and this grant's. A
 * handler's own 401 is his answer, and what is not idempotent never reaches him twice (CLI-17).
 */
function mayBeCured(
  grant: Grant,
  request: RepeatableRequest,
  response: Response,
  challenge: Challenge | undefined,
): boolean {
  if (challenge)
    return !challenge.insufficientGrant && parseUrl(challenge.info.resource)?.href === grant.resource
  const isGates = /\berror="invalid_token"/.test(response.headers.get("www-authenticate") ?? "")
  return isGates || isIdempotent(request)
}

const isCorrectable = (error: unknown): boolean =>
  error instanceof Ticket402Error &&
  (error.code === "purchase_refused" || error.code === "price_expired") &&
  (error.action === "fix" || error.action === "buy")
