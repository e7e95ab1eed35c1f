/** Delivers a signed payment: sends it until its answer is definite, and keeps it while that is unknown (CLI-14). */
import { daySeconds } from "../core/budget-rules.ts"
import { type ClientEvent, reportWait } from "../core/events.ts"
import { identifierOf } from "../core/origins.ts"
import { type HeldLock, refreshLockOf, type WithLock } from "../wallet/locks.ts"
import type { ClientStore, Grant, Payment } from "../wallet/store.ts"
import type { Wallet } from "../wallet/wallet.ts"
import type { Provers } from "../wire/dpop.ts"
import { persist } from "../wire/persist.ts"
import { type Answer, type ExchangeTools, exchange } from "../wire/token-endpoint.ts"
import type { Budget } from "./budget.ts"
import { concludePayment } from "./conclude-payment.ts"
import { lastSendingAt, mayStillPay, paymentHeaders } from "./payment.ts"

export type Delivery = {
  /** Sends a payment that was just written down. Throws a {@link Ticket402Error} when it buys nothing, or nothing yet. */
  deliver(payment: Payment, lock: HeldLock): Promise<Grant>
  /** Sends an earlier call's payment. Undefined when it certainly buys nothing, or is too old to. */
  resume(payment: Payment, lock: HeldLock): Promise<Grant | undefined>
}

export type DeliveryDeps = ExchangeTools & {
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly budget: Budget
  readonly withLock: WithLock
  readonly provers: Provers
  readonly resendSeconds: number
  readonly emit: (event: ClientEvent) => void
}

export function createDelivery(deps: DeliveryDeps): Delivery {
  const { store, now } = deps

  return {
    deliver: (payment, lock) =>
      withGrantLock(payment, lock, deps, async (held) => {
        const { answer, sent } = await sendPayment(payment, held, deps)
        return concludePayment(sent, answer, deps)
      }),
    async resume(payment, lock) {
      const { name, holder } = lock
      if (!mayStillPay(payment, now() - daySeconds)) return abandon(payment)
      return withGrantLock(payment, lock, deps, async (held) => {
        const { answer, sent } = await sendPayment({ ...payment, lock: { name, holder } }, held, deps)
        const isOpen = mayStillPay(payment, now()) || answer.kind === "lost" || answer.kind === "pending"
        if (answer.kind === "token" || answer.kind === "unsent" || isOpen)
          return concludePayment(sent, answer, deps)
        return abandon(payment)
      })
    },
  }

  /** A payment that may have been settled bought nothing. */
  async function abandon(payment: Payment): Promise<undefined> {
    await store.drop(payment)
    await store.recordRefusal(new URL(payment.resource).origin, now())
  }
}

/** A top-up sends a refresh token and brings one back: no refresh may come in between. */
function withGrantLock<T>(
  { account, resource, grant }: Payment,
  lock: HeldLock,
  { withLock }: DeliveryDeps,
  work: (lock: HeldLock) => Promise<T>,
): Promise<T> {
  if (grant === undefined) return work(lock)
  return withLock(refreshLockOf({ account, resource, id: grant }), ({ extend }) =>
    work({ ...lock, extend: async () => void (await Promise.all([lock.extend(), extend()])) }),
  )
}

async function sendPayment(
  payment: Payment,
  lock: HeldLock,
  deps: DeliveryDeps,
): Promise<{ answer: Answer; sent: Payment }> {
  const until = deps.now() + deps.resendSeconds
  const url = new URL(payment.tokenEndpoint)
  const { origin } = new URL(payment.resource)
  const prover = deps.provers(payment.proofKey)
  let { sends } = payment
  const send = async (): Promise<Answer> => {
    await lock.extend()
    const headers = paymentHeaders({ ...payment, sends })
    const refreshToken = (await deps.wallet.toppedUpBy(payment))?.refreshToken
    sends++
    if (sends > 1) deps.emit({ type: "resent", origin, what: "purchase", attempt: sends })
    const body = new URLSearchParams({ resource: identifierOf(payment.resource) })
    if (refreshToken !== undefined) body.set("refresh_token", refreshToken)
    return exchange({ url, headers, prover, body }, deps)
  }
  const attempts = {
    send,
    until: Math.min(until, lastSendingAt(payment)),
    // A payment that is taken needs no time to settle: asking for its outcome may go on after its end.
    pendingUntil: until,
    onWait: reportWait(deps.emit, origin, "purchase"),
  }
  const { answer, uncertain } = await persist(attempts, deps)
  return { answer, sent: { ...payment, sends, uncertain: payment.uncertain || uncertain } }
}
