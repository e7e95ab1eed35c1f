/** The wallet: grants and unanswered payments, in the memory of one client of one account. */
import type { Hex } from "../shared/evm.ts"
import type { SettlementState, TokenResponse } from "../shared/oauth.ts"
import type { Prover } from "./dpop.ts"
import { isWithin } from "./origins.ts"
import type { Payment } from "./payment.ts"

/**
 * How far the seller's clock may be off before a grant is taken for over too early and bought again: within it the
 * seller is asked, by a refresh. Clocks further apart than a signature's window cannot trade anyway.
 */
const clockSlackSeconds = 600

export type Grant = {
  readonly id: string
  /** The audience; its origin is the only one that ever sees the token (CLI-12). */
  readonly resource: URL
  readonly network: string
  readonly tokenEndpoint: URL
  /** Proves, at a repeated refresh, that the grant is ours; absent where nothing was bought. */
  readonly secret: Hex | undefined
  /** Has the key its tokens are bound to; absent for bearer tokens. */
  readonly prover: Prover | undefined
} & GrantStanding

/** What changes with every answer. Instants in seconds. */
export type GrantStanding = {
  scope: string
  accessToken: string
  tokenExpiresAt: number
  refreshToken: string | undefined
  /** How often the present refresh token was sent; from the second time on the secret goes with it. */
  refreshSends: number
  expiresAt: number
  callsRemaining: number | null
  settlement: SettlementState
}

/** What may be known of a grant outside. */
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
export function createWallet(now: () => number) {
  /** Most recently used first. */
  let grants: Grant[] = []
  const payments = new Map<string, Payment>()

  const isAlive = (grant: Grant): boolean =>
    grant.refreshToken === undefined
      ? grant.tokenExpiresAt > now()
      : Math.max(grant.expiresAt + clockSlackSeconds, grant.tokenExpiresAt) > now()
  const living = (): Grant[] => {
    grants = grants.filter(isAlive)
    return grants
  }

  return {
    add(grant: Grant): void {
      grants = [grant, ...grants.filter((other) => other.id !== grant.id)]
    },
    forget(grant: Grant): void {
      grants = grants.filter((other) => other !== grant)
    },
    has: (grant: Grant): boolean => living().includes(grant),
    /** To the front: the next request to this resource starts with it. */
    prefer(grant: Grant): void {
      if (grants.includes(grant)) grants = [grant, ...grants.filter((other) => other !== grant)]
    },
    /** Grants a request to `url` may carry, most recently used first. */
    grantsFor: (url: URL): Grant[] => living().filter((grant) => isWithin(grant.resource, url)),
    summaries: (): GrantSummary[] =>
      living()
        .filter((grant) => Math.max(grant.expiresAt, grant.tokenExpiresAt) > now())
        .map(({ id, resource, scope, network, expiresAt, callsRemaining, settlement }) => ({
          id,
          origin: resource.origin,
          resource: resource.href,
          scope,
          network,
          expiresAt,
          callsRemaining,
          settlement,
        })),

    /** The signed payment of this resource whose outcome is not known yet. */
    unanswered: (resource: string): Payment | undefined => payments.get(resource),
    keep: (resource: string, payment: Payment): void => void payments.set(resource, payment),
    drop: (resource: string): void => void payments.delete(resource),
  }
}

/** What an answer of the token endpoint says of a grant; `askedAt` in seconds, when the request left. */
export const standingOf = (answer: TokenResponse, askedAt: number): GrantStanding => ({
  scope: answer.scope,
  accessToken: answer.access_token,
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
  return offered.some((wanted) => wanted.split(" ").every((word) => held.has(word)))
}
