/** Decides when a token in use is renewed: before a call that it would not outlive, or beside the call. */
import { setBounded } from "../core/bounded.ts"
import type { TokenAge } from "../core/call-state.ts"
import { Ticket402Error } from "../core/errors.ts"
import type { Refresh } from "./refresh.ts"
import type { Grant } from "./store.ts"

/** A token with less life than this is refreshed first, so that it does not expire on the way (CLI-13). */
const dyingSeconds = 5
/** In the last part of its life a token in use is renewed beside the call that uses it. */
const agingPart = 1 / 5
const failuresRemembered = 100

export type Renewals = {
  /** `dying`: the next call has to wait for a newer token. */
  ageOf(grant: Grant | undefined): TokenAge
  /**
   * Renews an aging token while the call that uses it goes on. A refusal that ends the grant is kept for the next call,
   * which would otherwise buy without a word. After any other failure the next call refreshes.
   */
  renewAging(grant: Grant): void
  /** Throws, once, the refusal that {@link Renewals.renewAging} kept for the resource. */
  throwRefused(resource: string): void
}

export function createRenewals(deps: { readonly refresh: Refresh; readonly now: () => number }): Renewals {
  /** By resource. */
  const refused = new Map<string, Ticket402Error>()
  const hasLess = (grant: Grant, seconds: number): boolean =>
    grant.refreshToken !== undefined && grant.tokenExpiresAt - deps.now() < seconds

  return {
    ageOf(grant) {
      if (!grant) return "none"
      return hasLess(grant, dyingSeconds) ? "dying" : "fresh"
    },
    renewAging(grant) {
      const life = grant.tokenExpiresAt - grant.tokenIssuedAt
      if (!hasLess(grant, life * agingPart)) return
      deps.refresh(grant).catch((error: unknown) => {
        if (error instanceof Ticket402Error && error.code === "refresh_refused")
          setBounded(refused, grant.resource, error, failuresRemembered)
      })
    },
    throwRefused(resource) {
      const refusal = refused.get(resource)
      refused.delete(resource)
      if (refusal) throw refusal
    },
  }
}
