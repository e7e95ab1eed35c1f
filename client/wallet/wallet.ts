/** The wallet of one account: its grants in a store, and which of them a request may use. */
import type { SettlementState, TokenResponse } from "../../shared/oauth/messages.ts"
import type { TokenHeader } from "../../shared/token-header.ts"
import type { Address } from "../../shared/values/evm.ts"
import { setBounded } from "../core/bounded.ts"
import { compareGrants } from "../core/grant-rules.ts"
import { isWithin } from "../core/origins.ts"
import { type ClientStore, type Grant, type GrantState, keyOf, type Payment } from "./store.ts"

/**
 * How far the seller's clock may be off before a grant counts as ended and is bought again. Until then a refresh asks the
 * seller. Clocks further apart than the window of a signature cannot trade anyway.
 */
const clockSlackSeconds = 600

/** The public part of a grant. */
export type GrantSummary = {
  readonly id: string
  readonly origin: string
  readonly resource: string
  readonly scope: string
  /** CAIP-2; empty where nothing was bought. */
  readonly network: string
  /** Seconds since the epoch. */
  readonly expiresAt: number
  readonly callsRemaining: number | null
  readonly settlement: SettlementState
}

export type Route = { readonly url: URL; readonly method?: string }

const routesRemembered = 1_000
const originsRemembered = 1_000
const routeOf = ({ url, method = "GET" }: Route): string => `${method} ${url.origin}${url.pathname}`

export type Wallet = ReturnType<typeof createWallet>

/** `now` in seconds. */
export function createWallet(store: ClientStore, account: Address, now: () => number) {
  const isAlive = (grant: Grant): boolean =>
    grant.refreshToken === undefined
      ? grant.tokenExpiresAt > now()
      : Math.max(grant.expiresAt + clockSlackSeconds, grant.tokenExpiresAt) > now()
  /** Keys of grants, by route. */
  const unsuitedTo = new Map<string, ReadonlySet<string>>()
  /** By origin; absent where the gate reads `Authorization`, or is unknown. */
  const tokenHeaders = new Map<string, TokenHeader>()
  const listLiving = async (): Promise<Grant[]> => (await store.listGrants(account)).filter(isAlive)

  return {
    account,
    async add(grant: Grant, payment?: Payment): Promise<void> {
      await store.add(grant, payment)
      for (const held of await store.listGrants(account)) if (!isAlive(held)) await store.forget(held)
    },
    /** The grant as the store has it now; undefined when it has ended or was forgotten. */
    current: async (grant: Grant): Promise<Grant | undefined> =>
      (await listLiving()).find((other) => keyOf(other) === keyOf(grant)),
    listLiving,
    /** Grants that a request may carry, the best first; of equal ones the most recently used. */
    async grantsFor({ url, method = "GET" }: Route): Promise<Grant[]> {
      const here = (await listLiving()).filter((grant) => isWithin(new URL(grant.resource), url))
      const unsuited = unsuitedTo.get(routeOf({ url, method }))
      const isUnsuited = (grant: Grant): number => (unsuited?.has(keyOf(grant)) ? 1 : 0)
      return here.sort((a, b) => isUnsuited(a) - isUnsuited(b) || compareGrants(a, b))
    },
    /** Remembers that the route wants another grant, so that the next request does not try this one first. */
    noteUnsuited(route: Route, grant: Grant): void {
      const known = unsuitedTo.get(routeOf(route)) ?? []
      setBounded(unsuitedTo, routeOf(route), new Set([...known, keyOf(grant)]), routesRemembered)
    },
    /** The header that shows tokens to the gates of the origin; undefined means `Authorization`. */
    tokenHeaderAt: ({ origin }: URL): TokenHeader | undefined => tokenHeaders.get(origin),
    /** Remembers the header that a 402 of the origin named. */
    noteTokenHeader({ origin }: URL, header: TokenHeader | undefined): void {
      if (header) setBounded(tokenHeaders, origin, header, originsRemembered)
      else tokenHeaders.delete(origin)
    },
    /** The grant that a payment tops up, as the store has it now: a refresh may have changed its refresh token. */
    async toppedUpBy({ account, resource, grant: id }: Payment): Promise<Grant | undefined> {
      if (id === undefined) return undefined
      const key = keyOf({ account, resource, id })
      return (await store.listGrants(account)).find((grant) => keyOf(grant) === key)
    },
    async summaries(): Promise<GrantSummary[]> {
      const held = await listLiving()
      return held.filter((grant) => Math.max(grant.expiresAt, grant.tokenExpiresAt) > now()).map(summaryOf)
    },
    /** Also allows purchases that the grant stood in the way of. False when there is no grant of this id. */
    async forget(id: string): Promise<boolean> {
      const named = (await store.listGrants(account)).filter((grant) => grant.id === id)
      for (const grant of named) {
        await store.forget(grant)
        await store.clearRefusals(new URL(grant.resource).origin)
      }
      return named.length > 0
    },
  }
}

export const summaryOf = (grant: Grant): GrantSummary => ({
  id: grant.id,
  origin: new URL(grant.resource).origin,
  resource: grant.resource,
  scope: grant.scope,
  network: grant.network,
  expiresAt: grant.expiresAt,
  callsRemaining: grant.callsRemaining,
  settlement: grant.settlement,
})

/** Reads the state of a grant from an answer of the token endpoint; `askedAt` in seconds, when the request left. */
export const grantStateOf = (answer: TokenResponse, askedAt: number): GrantState => ({
  scope: answer.scope,
  accessToken: answer.access_token,
  tokenIssuedAt: askedAt,
  tokenExpiresAt: askedAt + answer.expires_in,
  refreshToken: answer.refresh_token,
  refreshSends: 0,
  expiresAt: answer.grant.expires_at,
  callsRemaining: answer.grant.calls_remaining,
  settlement: answer.grant.settlement.state,
})
