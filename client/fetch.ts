/** One call: send, and where the gate says 402 or 401, refresh or buy at most once and send again. */
import { discard } from "./bodies.ts"
import { type Challenge, readBodyChallenge, readChallenge } from "./challenge.ts"
import type { Provers } from "./dpop.ts"
import { PolicyRefusal, TicketError } from "./errors.ts"
import type { ClientEvent } from "./events.ts"
import {
  insecure,
  isPrivateEnough,
  isWithin,
  type PlaceRules,
  resourceOf,
  tokenEndpointOf,
} from "./origins.ts"
import { type Choice, choose, type Policy } from "./policy.ts"
import type { Place, Purchases } from "./purchase.ts"
import type { Refresh } from "./refresh.ts"
import { type RepeatableRequest, redirectOf, repeatable, send, type Ticket } from "./request.ts"
import { type ClientStore, type Grant, keyOf } from "./store.ts"
import { covers, type Wallet } from "./wallet.ts"
import type { Admit } from "./wallet-proof.ts"

const maxRedirects = 3
/** A token with less life than this is refreshed first, so that it does not die on the way (CLI-13). */
const dyingSeconds = 5

export type Fetch = (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>

export type FetchDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly now: () => number
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly provers: Provers
  readonly policy: Policy
  readonly places: PlaceRules
  readonly purchases: Purchases
  readonly refresh: Refresh
  /** Absent for an account that nobody has listed. */
  readonly admit: Admit | undefined
  readonly emit: (event: ClientEvent) => void
}

export function createFetch(deps: FetchDeps): Fetch {
  const { store, wallet, purchases, refresh, emit } = deps

  return async (input, init) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    // Who brings credentials of his own does not want ours, nor to pay.
    if (headers.has("authorization")) return deps.fetch(input, init)
    const request = await repeatable(input, init)
    try {
      return await call(request)
    } catch (error) {
      if (error instanceof TicketError)
        emit({ type: "refused", origin: request.url.origin, code: error.code })
      throw error
    }
  }

  async function call(first: RepeatableRequest): Promise<Response> {
    const { signal } = first
    /** The hop of a redirect chain that is being asked; a repetition never starts the chain anew (CLI-17). */
    let request = first
    let grant = (await wallet.grantsFor(request.url))[0]
    const since = purchases.tick()
    let redirects = 0
    let refreshed = false
    let bought = false
    let admitted = false
    let attempt: 1 | 2 = 1
    const unsuitable = new Set<string>()

    for (;;) {
      if (grant && !refreshed && isDying(grant)) {
        refreshed = true
        grant = await waitFor(refresh(grant), signal)
      }
      const response = await send(deps.fetch, request, grant && ticketOf(grant))

      const target = redirectOf(request, response)
      if (target) {
        discard(response)
        if (++redirects > maxRedirects)
          throw new TicketError("redirect_limit", `More than ${maxRedirects} redirects were not followed.`)
        request = target
        if (!grant || !isWithin(new URL(grant.resource), target.url))
          grant = (await wallet.grantsFor(target.url))[0]
        continue
      }

      const isRefused = response.status === 401 || response.status === 402
      if (!isRefused) return response
      let challenge: Challenge | undefined
      if (response.status === 402) {
        if (bought) return response
        refuseForeign(response, request.url)
        challenge = await orDiscard(response, readChallenge(response))
        if (!challenge) {
          emit({ type: "ignored", origin: request.url.origin })
          return response
        }
      }

      if (grant && !challenge?.insufficientGrant) {
        const newest = await renew(grant)
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
      grant = await orDiscard(response, obtain(challenge, response))
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

    /** A grant for the challenge, from the wallet or by a purchase; undefined when the offers have to be read again. */
    async function obtain(challenge: Challenge, response: Response): Promise<Grant | undefined> {
      const place = placeOf(challenge, request.url)
      const arrived = (): Promise<Grant | undefined> => heldFor(challenge, place)
      const held = await arrived()
      if (held) return held
      if (deps.admit && !admitted) {
        admitted = true
        const grant = await waitFor(deps.admit(challenge, place), signal)
        if (grant) return grant
      }
      const choice = await chooseFrom(challenge, response)
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

    async function heldFor(challenge: Challenge, place: Place): Promise<Grant | undefined> {
      const offered = Object.values(challenge.info.offers).map((terms) => terms.scope)
      const held = (await wallet.grantsFor(request.url)).find(
        (other) =>
          !unsuitable.has(keyOf(other)) &&
          other.resource === place.resource.href &&
          covers(other.scope, offered),
      )
      if (held) await store.prefer(held)
      return held
    }
  }

  function placeOf({ info }: Challenge, asked: URL): Place {
    if (!isPrivateEnough(asked, deps.places.allowInsecureHttp)) throw insecure(asked)
    return {
      resource: resourceOf(info.resource, asked),
      resourceText: info.resource,
      tokenEndpoint: tokenEndpointOf(info.tokenEndpoint, asked, deps.places),
    }
  }

  async function chooseFrom(challenge: Challenge, response: Response): Promise<Choice> {
    try {
      return choose(challenge, deps.policy)
    } catch (error) {
      // The header may hold fewer entries than the body (wire.md §1). The place is the header's in any case.
      const whole = await readBodyChallenge(response).catch(() => undefined)
      if (!whole || whole.accepts.length <= challenge.accepts.length) throw error
      return choose(
        { ...challenge, accepts: whole.accepts, info: { ...challenge.info, offers: whole.info.offers } },
        deps.policy,
      )
    }
  }

  function ticketOf({ accessToken, proofKey }: Grant): Ticket {
    return { accessToken, prover: deps.provers(proofKey) }
  }

  function isDying(grant: Grant): boolean {
    return grant.refreshToken !== undefined && grant.tokenExpiresAt - deps.now() < dyingSeconds
  }
}

/** A fetch that follows redirects on its own may bring the 402 of another origin (CLI-06). */
function refuseForeign(response: Response, asked: URL): void {
  if (response.url === "" || new URL(response.url).origin === asked.origin) return
  throw new PolicyRefusal("foreign_challenge", "The 402 comes from another origin than the one asked.", {
    found: new URL(response.url).origin,
    wanted: asked.origin,
  })
}

const isCorrectable = (error: unknown): boolean =>
  error instanceof TicketError &&
  (error.code === "purchase_refused" || error.code === "price_expired") &&
  (error.action === "fix" || error.action === "buy")

/** A call that ends in an error leaves no answer half read. */
async function orDiscard<T>(response: Response, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    discard(response)
    throw error
  }
}

/** Waits as long as the caller wants to; what is waited for goes on without him. */
function waitFor<T>(work: Promise<T> | (() => Promise<T>), signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted()
  const promise = typeof work === "function" ? work() : work
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener("abort", onAbort, { once: true })
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort))
  })
}
