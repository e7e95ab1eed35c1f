/** Refreshes a grant: one rotation for any number of calls, repeated with the secret when its answer is lost. */
import { refreshGrantType, secretHeader } from "../../shared/oauth/messages.ts"
import { Ticket402Error } from "../core/errors.ts"
import { type ClientEvent, reportWait } from "../core/events.ts"
import { createSingleFlight } from "../core/single-flight.ts"
import type { Provers } from "../wire/dpop.ts"
import { persist, troubleOf } from "../wire/persist.ts"
import { type Answer, type ExchangeTools, exchange } from "../wire/token-endpoint.ts"
import { type HeldLock, refreshLockOf, type WithLock } from "./locks.ts"
import { type ClientStore, type Grant, keyOf } from "./store.ts"
import { grantStateOf, type Wallet } from "./wallet.ts"

export type RefreshDeps = ExchangeTools & {
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly withLock: WithLock
  readonly provers: Provers
  readonly resendSeconds: number
  readonly emit: (event: ClientEvent) => void
}

/**
 * Returns the grant with a newer access token, or undefined when the service says that it ended and may be bought again.
 * Any other failure throws a {@link Ticket402Error}, which never leads to a payment.
 */
export type Refresh = (grant: Grant) => Promise<Grant | undefined>

export function createRefresh(deps: RefreshDeps): Refresh {
  const flights = createSingleFlight<string, Grant | undefined>()

  return (grant) =>
    flights.share(keyOf(grant), () =>
      deps.withLock(refreshLockOf(grant), async (lock) => {
        const current = await deps.wallet.current(grant)
        return current?.accessToken === grant.accessToken ? refreshUnderLock(current, lock, deps) : current
      }),
    )
}

async function refreshUnderLock(grant: Grant, lock: HeldLock, deps: RefreshDeps): Promise<Grant | undefined> {
  const { store, emit } = deps
  const { refreshToken } = grant
  // The grant stays in the wallet until it expires: a gate's word alone is no reason to buy another.
  if (refreshToken === undefined) return undefined
  const answer = await sendRefresh(grant, refreshToken, lock, deps)
  if (answer.kind === "token" && answer.token.grant.id === grant.id) {
    const state = grantStateOf(answer.token, answer.askedAt)
    await store.change(grant, state)
    const { origin } = new URL(grant.resource)
    emit({ type: "refreshed", origin, grant: grant.id, settlement: state.settlement })
    return { ...grant, ...state }
  }
  if (answer.kind === "lost" || answer.kind === "pending" || answer.kind === "unsent")
    throw new Ticket402Error("refresh_unanswered", "The token could not be refreshed now.", {
      action: "retry",
      ...troubleOf(answer),
    })
  // A service that ends grants before their first use could sell one for each call.
  if (grant.network !== "") await store.recordRefusal(new URL(grant.resource).origin, deps.now(), grant)
  await store.forget(grant)
  if (answer.kind === "refused" && answer.action === "buy") return undefined
  const reason = answer.kind === "refused" ? answer.reason : undefined
  throw new Ticket402Error("refresh_refused", "The service does not continue the grant.", {
    action: "stop",
    ...(reason !== undefined && { reason }),
    ...(answer.kind === "odd" && { found: answer.code }),
  })
}

async function sendRefresh(
  grant: Grant,
  refreshToken: string,
  lock: HeldLock,
  deps: RefreshDeps,
): Promise<Answer> {
  const { origin } = new URL(grant.resource)
  const url = new URL(grant.tokenEndpoint)
  const prover = deps.provers(grant.proofKey)
  let sends = grant.refreshSends
  const send = async (): Promise<Answer> => {
    // With the secret, the service accepts the previous refresh token once more.
    const proof = sends > 0 && grant.secret ? { [secretHeader]: grant.secret.slice(2) } : undefined
    sends++
    await lock.extend()
    // Before it is sent: after a crash the next process has to send the secret.
    await deps.store.change(grant, { refreshSends: sends })
    if (proof) deps.emit({ type: "resent", origin, what: "refresh", attempt: sends })
    const body = new URLSearchParams({ grant_type: refreshGrantType, refresh_token: refreshToken })
    return exchange({ url, headers: { ...proof }, body, prover }, deps)
  }
  const until = deps.now() + deps.resendSeconds
  return (await persist({ send, until, onWait: reportWait(deps.emit, origin, "refresh") }, deps)).answer
}
