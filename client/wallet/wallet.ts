/** The wallet of one account: its grants in a store, and which of them a request may use. */
import type { SettlementState, TokenResponse } from "../../shared/oauth/messages.ts"
import type { Address } from "../../shared/values/evm.ts"
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

export type Wallet = ReturnType<typeof createWallet>

/** `now` in seconds. */
export function createWallet(store: ClientStore, account: Address, now: () => number) {
  const isAlive = (grant: Grant): boolean =>
    grant.refreshToken === undefined
      ? grant.tokenExpiresAt > now()
      : Math.max(grant.expiresAt + clockSlackSeconds, grant.tokenExpiresAt) > now()
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
    /** Grants a request to `url` may carry, most recently used first. */
    grantsFor: async (url: URL): Promise<Grant[]> =>
      (await listLiving()).filter((grant) => isWithin(new URL(grant.resource), url)),
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
    /** False when there is no grant of this id. */
    async forget(id: string): Promise<boolean> {
      const named = (await store.listGrants(account)).filter((grant) => grant.id === id)
      for (const grant of named) await store.forget(grant)
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

/** Whether a grant of `scope` covers one of the scopes on offer. */
export function covers(scope: string, offered: readonly string[]): boolean {
  const held = new Set(scope.split(" "))
  return offered.some((each) => each.split(" ").every((word) => held.has(word)))
}
