/** A single call of a plain x402 server: one payment for one answer, and the same one again while there is none. */

import { Ticket402Error } from "../core/errors.ts"
import type { ClientEvent } from "../core/events.ts"
import type { Choice } from "../core/policy.ts"
import { createTurns } from "../core/turns.ts"
import type { Exclusively, Holding } from "../wallet/locks.ts"
import type { ClientStore, Payment } from "../wallet/store.ts"
import type { Wallet } from "../wallet/wallet.ts"
import { discard } from "../wire/bodies.ts"
import { type PlainChallenge, readPlain, readSettlement } from "../wire/plain-x402.ts"
import { isIdempotent, type RepeatableRequest, send } from "../wire/request.ts"
import { type ExchangeTools, type Lost, persist } from "../wire/token-endpoint.ts"
import type { Book } from "./booking.ts"
import { lastSendingAt, mayStillPay } from "./payment.ts"
import type { Sale } from "./sale.ts"

export type Call = {
  readonly request: RepeatableRequest
  readonly sale: Sale
  readonly challenge: PlainChallenge
  /** What to sign, if there is anything to sign. */
  readonly choose: () => Promise<Choice>
}

/** The answer to the call, paid for; never a 402. Throws a {@link Ticket402Error} when there is none, or none yet. */
export type PayForCall = (call: Call) => Promise<Response>

export function createPayForCall(
  deps: ExchangeTools & {
    readonly store: ClientStore
    readonly wallet: Wallet
    readonly exclusively: Exclusively
    readonly book: Book
    readonly resendSeconds: number
    readonly emit: (event: ClientEvent) => void
  },
): PayForCall {
  const { store, wallet, exclusively, book, emit, now } = deps
  const inTurn = createTurns()

  return (call) => {
    const { request, sale, challenge } = call
    const key = `${request.method} ${sale.place.resource.href}`
    // Two payments for the same thing are never without an answer at once, so that what is lost is shown again.
    return inTurn(key, () =>
      exclusively(`call ${wallet.account} ${key}`, async (holding) => {
        request.signal?.throwIfAborted()
        const old = await store.unanswered(wallet.account, key)
        if (old && mayStillPay(old, now())) return show(old, call, holding)
        if (old) await store.drop(old)
        const choice = await call.choose()
        const payment = await book({ choice, place: sale.place, key, show: challenge.show }, holding)
        return show(payment, call, holding)
      }),
    )
  }

  async function show(payment: Payment, { request }: Call, holding: Holding): Promise<Response> {
    const headers = new Headers(request.headers)
    headers.set(payment.headerName, payment.header)
    const { origin } = request.url
    const until = Math.min(now() + deps.resendSeconds, lastSendingAt(payment))
    let sends = payment.sends
    const { answer } = await persist(
      async () => {
        await holding.extend()
        if (++sends > 1) emit({ type: "resent", origin, what: "call", attempt: sends })
        return sendOnce({ ...request, headers })
      },
      // What may have reached the handler is done once (CLI-17).
      isIdempotent(request) ? until : now(),
      deps,
    )
    if (answer.kind !== "answered") throw kept("outcome_unknown", payment)
    const { response } = answer
    if (response.status === 402) throw await unpaid(payment, response, request.url)
    const settlement = readSettlement(response)
    // An error page without a settlement, and a page whose settlement failed, have not been paid: the next call shows
    // the same payment.
    if (settlement?.success ?? response.status < 400) await store.drop(payment)
    const transaction = settlement?.transaction
    emit({ type: "called", origin, status: response.status, ...(transaction && { transaction }) })
    return response
  }

  async function sendOnce(
    request: RepeatableRequest,
  ): Promise<{ readonly kind: "answered"; readonly response: Response } | Lost> {
    try {
      return { kind: "answered", response: await send(deps.fetch, request, undefined) }
    } catch (error) {
      if (request.signal?.aborted) throw error
      return { kind: "lost", declined: false, retryAfterSeconds: 0 }
    }
  }

  async function unpaid(payment: Payment, response: Response, asked: URL): Promise<Ticket402Error> {
    const again = await readPlain(response, asked, deps.timeoutMs).catch(() => undefined)
    discard(response)
    return kept("asked_to_pay_again", payment, again?.reason)
  }
}

const sentences = {
  asked_to_pay_again: "The server was shown the payment and asked for another.",
  outcome_unknown: "The call is paid for, and its answer was lost.",
}

/** The payment was written down before it was sent, and stays there. */
const kept = (code: keyof typeof sentences, payment: Payment, reason?: string): Ticket402Error =>
  new Ticket402Error(
    code,
    `${sentences[code]} The payment is kept and shown again before another is signed.`,
    {
      action: "retry",
      ...(reason !== undefined && { reason }),
      found: `a payment good until ${payment.validBefore}`,
    },
  )
