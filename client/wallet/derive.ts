/** Derives a token with less access from a grant in the wallet (RFC 8693), for a sub-agent. */
import { tokenExchangeGrantType, tokenTypes } from "../../shared/oauth/messages.ts"
import { Ticket402Error } from "../core/errors.ts"
import { requireKnown } from "../core/option-names.ts"
import type { Provers } from "../wire/dpop.ts"
import { persist, troubleOf } from "../wire/persist.ts"
import { type ExchangeTools, exchange } from "../wire/token-endpoint.ts"
import type { Refresh } from "./refresh.ts"
import { refreshableFor, urlOf } from "./refreshable.ts"
import type { Grant } from "./store.ts"
import type { Wallet } from "./wallet.ts"

/** An absent option means as much as the grant has; for the time, as long as a usual token. */
export type DeriveOptions = {
  readonly scope?: string
  readonly calls?: number
  /** At most 3600. */
  readonly seconds?: number
  /** RFC 7638 thumbprint of the key that it is bound to (DPoP). */
  readonly keyThumbprint?: string
}

/** A secret: only the sub-agent may get it. */
export type DerivedToken = {
  readonly accessToken: string
  readonly tokenType: "Bearer" | "DPoP"
  readonly scope: string
  /** Null when only time ends it. */
  readonly calls: number | null
  /** Seconds since the epoch. */
  readonly expiresAt: number
}

export type Derive = (url: string | URL, plans?: DeriveOptions) => Promise<DerivedToken>

export type DeriveDeps = ExchangeTools & {
  readonly wallet: Wallet
  readonly provers: Provers
  readonly refresh: Refresh
  readonly resendSeconds: number
}

export function createDerive(deps: DeriveDeps): Derive {
  const { wallet, refresh, now } = deps

  return async (url, plans = {}) => {
    requireKnown(plans, { scope: true, calls: true, seconds: true, keyThumbprint: true })
    const grant = await refreshableFor(wallet, urlOf(url))
    const first = await deriveFrom(grant, plans)
    // Another process has refreshed it meanwhile.
    const isStale = first.kind === "refused" && first.reason === "refresh_token_stale"
    const renewed = isStale ? await refresh(grant) : undefined
    const answer = renewed ? await deriveFrom(renewed, plans) : first
    if (answer.kind === "token") {
      const { token, askedAt } = answer
      return {
        accessToken: token.access_token,
        tokenType: token.token_type,
        scope: token.scope,
        calls: token.grant.calls_remaining,
        expiresAt: askedAt + token.expires_in,
      }
    }
    if (answer.kind === "refused")
      throw new Ticket402Error("derive_refused", "The service derives no such token.", {
        action: answer.action,
        ...(answer.reason !== undefined && { reason: answer.reason }),
      })
    throw new Ticket402Error("derive_unanswered", "No token could be derived now.", {
      action: "retry",
      ...troubleOf(answer),
    })
  }

  async function deriveFrom(grant: Grant, { scope, calls, seconds, keyThumbprint }: DeriveOptions) {
    const body = new URLSearchParams({
      grant_type: tokenExchangeGrantType,
      subject_token: grant.refreshToken ?? "",
      subject_token_type: tokenTypes.refresh,
      ...(scope !== undefined && { scope }),
      ...(calls !== undefined && { units: String(calls) }),
      ...(seconds !== undefined && { expires_in: String(seconds) }),
      ...(keyThumbprint !== undefined && { dpop_jkt: keyThumbprint }),
    })
    const message = {
      url: new URL(grant.tokenEndpoint),
      headers: {},
      body,
      prover: deps.provers(grant.proofKey),
    }
    const { answer } = await persist(
      { send: () => exchange(message, deps), until: now() + deps.resendSeconds },
      deps,
    )
    return answer
  }
}
