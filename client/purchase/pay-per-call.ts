/** Pays a plain x402 server for one call, and shows the same payment again while the call has no answer. */
import { Ticket402Error } from "../core/errors.ts"
import { type ClientEvent, reportWait } from "../core/events.ts"
import type { Choice } from "../core/policy.ts"
import { createQueues } from "../core/queues.ts"
import type { HeldLock, WithLock } from "../wallet/locks.ts"
import type { ClientStore, Payment } from "../wallet/store.ts"
import type { Wallet } from "../wallet/wallet.ts"
import { discard } from "../wire/bodies.ts"
import { persist, troubleOf } from "../wire/persist.ts"
import { type PlainChallenge, readPlain, readSettlement } from "../wire/plain-x402.ts"
import { isIdempotent, type RepeatableRequest, send } from "../wire/request.ts"
import type { ExchangeTools, Lost, Unsent } from "../wire/token-endpoint.ts"
import { notSent } from "./conclude-payment.ts"
import type { Offers } from "./offers.ts"
import { lastSendingAt, mayStillPay } from "./payment.ts"
import type { PreparePayment } from "./prepare-payment.ts"

export type PaidCall = {
  readonly request: RepeatableRequest
  readonly offers: Offers
  readonly challenge: PlainChallenge
  /** Called only when no earlier payment can be shown. */
  readonly choose: () => Promise<Choice>
}

/** Returns the answer to the call, never a 402. Throws a {@link Ticket402Error} when there is none, or none yet. */
export type PayForCall = (call: PaidCall) => Promise<Response>

export type PayForCallDeps = ExchangeTools & {
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly withLock: WithLock
  readonly preparePayment: PreparePayment
  readonly resendSeconds: number
  readonly emit: (event: ClientEvent) => void
}

export function createPayForCall(deps: PayForCallDeps): PayForCall {
  const { store, wallet, withLock, preparePayment, now } = deps
  const runInOrder = createQueues()

  return (call) => {
    const { request, offers, challenge } = call
    const key = `${request.method} ${offers.place.resource.href}`
    // In order, so that at most one payment for the same request is unanswered, and a lost one is shown again.
    return runInOrder(key, () =>
      withLock(`call ${wallet.account} ${key}`, async (lock) => {
        request.signal?.throwIfAborted()
        const old = await store.findUnanswered(wallet.account, key)
        if (old && mayStillPay(old, now())) return showPayment(old, call, lock, deps)
        if (old) {
          await store.drop(old)
          await store.recordRefusal(request.url.origin, now())
        }
        const choice = await call.choose()
        const plan = { choice, place: offers.place, key, show: challenge.show }
        return showPayment(await preparePayment(plan, lock), call, lock, deps)
      }),
    )
  }
}

async function showPayment(
  payment: Payment,
  { request }: PaidCall,
  lock: HeldLock,
  deps: PayForCallDeps,
): Promise<Response> {
  const { store, emit, now } = deps
  const headers = new Headers(request.headers)
  headers.set(payment.headerName, payment.header)
  const { origin } = request.url
  const until = Math.min(now() + deps.resendSeconds, lastSendingAt(payment))
  let sends = payment.sends
  const attempts = {
    async send() {
      await lock.extend()
      if (++sends > 1) emit({ type: "resent", origin, what: "call", attempt: sends })
      return sendOnce({ ...request, headers }, deps)
    },
    // A request that is not idempotent may have reached the handler, which must not run twice (CLI-17).
    until: isIdempotent(request) ? until : now(),
    onWait: reportWait(emit, origin, "call"),
  }
  const { answer, uncertain } = await persist(attempts, deps)
  if (answer.kind === "unsent" && !payment.uncertain && !uncertain) {
    await store.undo(payment)
    throw notSent(answer.cause)
  }
  if (answer.kind !== "answered") throw kept("outcome_unknown", payment, answer)
  const { response } = answer
  if (response.status === 402) throw await unpaid(payment, response, request.url, deps)
  const settlement = readSettlement(response)
  // An error page without a settlement, and a page whose settlement failed, have not been paid: the next call shows
  // the same payment.
  if (settlement?.success ?? response.status < 400) await store.drop(payment)
  if (response.status < 400) await store.recordAccess(origin, now())
  else if (settlement?.success) await store.recordRefusal(origin, now())
  const transaction = settlement?.transaction
  emit({ type: "called", origin, status: response.status, ...(transaction && { transaction }) })
  return response
}

async function sendOnce(
  request: RepeatableRequest,
  { fetch }: PayForCallDeps,
): Promise<{ readonly kind: "answered"; readonly response: Response } | Lost | Unsent> {
  let isSent = false
  const noticing: typeof fetch = (...call) => {
    const sending = fetch(...call)
    isSent = true
    return sending
  }
  try {
    return { kind: "answered", response: await send(noticing, request, undefined) }
  } catch (cause) {
    if (!isSent) return { kind: "unsent", cause }
    if (request.signal?.aborted) throw cause
    return { kind: "lost", declined: false, retryAfterSeconds: 0, cause }
  }
}

async function unpaid(
  payment: Payment,
  response: Response,
  asked: URL,
  { timeoutMs }: PayForCallDeps,
): Promise<Ticket402Error> {
  const again = await readPlain(response, asked, timeoutMs).catch(() => undefined)
  discard(response)
  return kept("asked_to_pay_again", payment, { kind: "answered", reason: again?.reason })
}

const sentences = {
  asked_to_pay_again: "The server received the payment and asked for another.",
  outcome_unknown: "The call is paid for, and its answer was lost.",
}

/** The payment was written down before it was sent, and stays there. */
const kept = (
  code: keyof typeof sentences,
  payment: Payment,
  answer: Parameters<typeof troubleOf>[0],
): Ticket402Error =>
  new Ticket402Error(
    code,
    `${sentences[code]} The payment is kept and shown again before another is signed.`,
    {
      action: "retry",
      ...troubleOf(answer),
      found: `a payment good until ${payment.validBefore}`,
    },
  )
