/** Refreshing: one rotation for any number of calls, repeated with the secret when its answer is lost. */
import { refreshGrantType, secretHeader } from "../shared/oauth.ts"
import { TicketError } from "./errors.ts"
import type { ClientEvent } from "./events.ts"
import { exchange, type OfficeTools, persist } from "./office.ts"
import { createSingleFlight } from "./single-flight.ts"
import { type Grant, standingOf, type Wallet } from "./wallet.ts"

export type RefreshDeps = OfficeTools & {
  readonly wallet: Wallet
  readonly resendSeconds: number
  readonly emit: (event: ClientEvent) => void
}

/**
 * Gives the grant a new access token, or answers "buy" when the service says that it is over and may be bought again;
 * either way no call decides it twice. Throws a {@link TicketError} otherwise, which never leads to a payment.
 */
export type Refresh = (grant: Grant) => Promise<"refreshed" | "buy">

export function createRefresh(deps: RefreshDeps): Refresh {
  const flights = createSingleFlight<Grant, "refreshed" | "buy">()

  return (grant) => flights.share(grant, () => refreshOne(grant))

  async function refreshOne(grant: Grant): Promise<"refreshed" | "buy"> {
    const { wallet, emit, now } = deps
    const { origin } = grant.resource
    const refreshToken = grant.refreshToken
    if (refreshToken === undefined) {
      wallet.forget(grant)
      return "buy"
    }
    const send = () => {
      // The previous refresh token is honoured once more, to whoever has the secret (wire.md §5).
      const proof =
        grant.refreshSends > 0 && grant.secret ? { [secretHeader]: grant.secret.slice(2) } : undefined
      grant.refreshSends++
      if (proof) emit({ type: "resent", origin, what: "refresh", attempt: grant.refreshSends })
      const body = new URLSearchParams({ grant_type: refreshGrantType, refresh_token: refreshToken })
      return exchange({ url: grant.tokenEndpoint, headers: { ...proof }, body, prover: grant.prover }, deps)
    }
    const { answer } = await persist(send, now() + deps.resendSeconds, deps)

    if (answer.kind === "token" && answer.token.grant.id === grant.id) {
      Object.assign(grant, standingOf(answer.token, answer.askedAt))
      emit({ type: "refreshed", origin, grant: grant.id, settlement: grant.settlement })
      return "refreshed"
    }
    if (answer.kind === "lost" || answer.kind === "pending")
      throw new TicketError("refresh_unanswered", "The token could not be refreshed now.", {
        action: "retry",
      })
    wallet.forget(grant)
    if (answer.kind === "refused" && answer.action === "buy") return "buy"
    const reason = answer.kind === "refused" ? answer.reason : undefined
    throw new TicketError("refresh_refused", "The service does not continue the grant.", {
      action: "stop",
      ...(reason !== undefined && { reason }),
      ...(answer.kind === "odd" && { found: answer.code }),
    })
  }
}
