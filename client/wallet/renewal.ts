/** When a token in use is renewed: before a call that it would not outlive, and beside one that it would. */
import { setBounded } from "../core/bounded.ts"
import { Ticket402Error } from "../core/errors.ts"
import type { Refresh } from "./refresh.ts"
import type { Grant } from "./store.ts"

/** A token with less life than this is refreshed first, so that it does not die on the way (CLI-13). */
const dyingSeconds = 5
/** In the last part of its life a token that is in use is renewed beside the call that uses it. */
const agingPart = 1 / 5
const failuresRemembered = 100

export type Renewals = {
  /** Whether the next call has to wait for a newer token. */
  isDue(grant: Grant): boolean
  /**
   * Renews an aging token while the call that uses it goes on. What ends the grant is heard by the next call, which would
   * otherwise buy without a word. For any other trouble that call refreshes itself.
   */
  beside(grant: Grant): void
  /** Throws, once, what nobody was waiting for when it was refused. */
  throwRefused(resource: string): void
}

export function createRenewals(deps: { readonly refresh: Refresh; readonly now: () => number }): Renewals {
  /** By resource. */
  const refused = new Map<string, Ticket402Error>()
  const hasLess = (grant: Grant, seconds: number): boolean =>
    grant.refreshToken !== undefined && grant.tokenExpiresAt - deps.now() < seconds

  return {
    isDue: (grant) => hasLess(grant, dyingSeconds),
    beside(grant) {
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
