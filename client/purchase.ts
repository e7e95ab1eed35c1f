/** Buying: one payment for any number of calls that wait for it, carried to its answer whoever stops waiting. */
import pLimit, { type LimitFunction } from "p-limit"
import { formatAmount } from "../shared/amount.ts"
import { type Reason, refusals } from "../shared/errors.ts"
import type { Budget } from "./budget.ts"
import type { Challenge } from "./challenge.ts"
import { createProver } from "./dpop.ts"
import { TicketError, type TicketErrorCode } from "./errors.ts"
import type { ClientEvent } from "./events.ts"
import { type Answer, exchange, type OfficeTools, persist } from "./office.ts"
import { type Payment, paymentHeaders, type SigningTools, signPayment } from "./payment.ts"
import type { Choice } from "./policy.ts"
import { createSingleFlight } from "./single-flight.ts"
import { covers, type Grant, standingOf, type Wallet } from "./wallet.ts"

/** A payment is not sent any more so shortly before its end. */
const lastSecondsUnused = 5
/** How long after its end a payment might still be mined, by a chain whose clock is behind ours. */
const chainClockSlackSeconds = 60
const daySeconds = 86_400
const failuresRemembered = 100

/** Where a 402 sells, after the checks of origins.ts. */
export type Place = {
  readonly resource: URL
  /** As the 402 spelled it; the nonce commits to these bytes. */
  readonly resourceText: string
  readonly tokenEndpoint: URL
}

export type Order = {
  readonly choice: Choice
  readonly challenge: Challenge
  readonly place: Place
  /** When the call began, on the counter of {@link Purchases.tick}. */
  readonly since: number
  /** 2 once the offers were read again after a correctable refusal. */
  readonly attempt: 1 | 2
}

export type Purchases = {
  /** A grant for the order, or a {@link TicketError}. Calls that order the same thing at the same time share one. */
  buy(order: Order): Promise<Grant>
  /** A counter that tells calls from before a failure from calls after it. */
  tick(): number
}

type Failure = { readonly error: unknown; readonly at: number; readonly attempt: 1 | 2 }

export type PurchaseDeps = OfficeTools &
  SigningTools & {
    readonly wallet: Wallet
    readonly budget: Budget
    readonly resendSeconds: number
    /** Whether every purchase is bound to a key, and not only those of offers that ask for it. */
    readonly dpop: boolean
    readonly emit: (event: ClientEvent) => void
  }

export function createPurchases(deps: PurchaseDeps): Purchases {
  const { wallet, budget, emit, now } = deps
  const flights = createSingleFlight<string, Grant>()
  const queues = new Map<string, LimitFunction>()
  const failures = new Map<string, Failure>()
  let ticks = 0

  return {
    tick: () => ++ticks,
    async buy(order) {
      const { place, choice } = order
      const key = `${place.resourceText} ${choice.offer}`
      // Of many parallel calls some hear their 402 only after the purchase of the others failed: it was theirs too.
      const failure = failures.get(key)
      const itsOwn = failure && failure.at > order.since && failure.attempt >= order.attempt
      if (itsOwn && !flights.has(key)) throw failure.error
      return flights.share(key, async () => {
        try {
          return await inTurn(place.resource, () => purchaseOne(order))
        } catch (error) {
          remember(key, { error, at: ++ticks, attempt: order.attempt })
          throw error
        }
      })
    },
  }

  function remember(key: string, failure: Failure): void {
    failures.delete(key)
    failures.set(key, failure)
    for (const oldest of failures.keys()) {
      if (failures.size <= failuresRemembered) break
      failures.delete(oldest)
    }
  }

  /** One after the other per resource: so at most one payment of it is ever without an answer. */
  async function inTurn<T>(resource: URL, work: () => Promise<T>): Promise<T> {
    const queue = queues.get(resource.href) ?? pLimit(1)
    queues.set(resource.href, queue)
    try {
      return await queue(work)
    } finally {
      if (queue.activeCount + queue.pendingCount === 0) queues.delete(resource.href)
    }
  }

  async function purchaseOne({ choice, challenge, place }: Order): Promise<Grant> {
    const key = place.resource.href
    const old = wallet.unanswered(key)
    if (old) {
      const grant = await resume(old, key)
      const offered = Object.values(challenge.info.offers).map((terms) => terms.scope)
      if (grant && covers(grant.scope, offered)) return grant
    }
    const { origin } = place.resource
    const reservation = budget.reserve(choice.micros, origin)
    emit({
      type: "purchase_started",
      origin,
      offer: choice.offer,
      scope: choice.terms.scope,
      amount: formatAmount(choice.amount, choice.asset.decimals),
      asset: choice.asset.symbol,
      network: choice.network.id,
    })
    const isBound = deps.dpop || choice.terms.dpop === "required"
    const prover = isBound ? createProver(deps) : undefined
    let payment: Payment
    try {
      payment = await signPayment(choice, place, { reservation, prover }, deps)
    } catch (error) {
      reservation.cancel()
      throw error
    }
    wallet.keep(key, payment)
    return settle(payment, key, await carry(payment, now() + deps.resendSeconds))
  }

  /** Sends a payment until its answer is definite. */
  async function carry(payment: Payment, until: number): Promise<Answer> {
    const send = (): Promise<Answer> => {
      const message = { url: payment.tokenEndpoint, headers: paymentHeaders(payment), prover: payment.prover }
      payment.sends++
      if (payment.sends > 1)
        emit({
          type: "resent",
          origin: payment.resource.origin,
          what: "purchase",
          attempt: payment.sends,
        })
      return exchange(message, deps)
    }
    const { answer, uncertain } = await persist(
      send,
      Math.min(until, payment.validBefore - lastSecondsUnused),
      deps,
      // Taken is taken: asking for the outcome is no use of the payment that its end could forbid.
      until,
    )
    payment.uncertain ||= uncertain
    return answer
  }

  /** An earlier call's payment comes first. Undefined once it is certain, or late enough, that it buys nothing. */
  async function resume(payment: Payment, key: string): Promise<Grant | undefined> {
    const over = payment.validBefore + chainClockSlackSeconds
    if (now() > over + daySeconds) {
      wallet.drop(key)
      return undefined
    }
    const answer = await carry(payment, now() + deps.resendSeconds)
    const mayStillPay = now() <= over || answer.kind === "lost" || answer.kind === "pending"
    if (answer.kind === "token" || mayStillPay) return settle(payment, key, answer)
    wallet.drop(key)
    return undefined
  }

  /** Turns an answer into a grant or an error, and says whether the payment must be kept. */
  function settle(payment: Payment, key: string, answer: Answer): Grant {
    switch (answer.kind) {
      case "token": {
        const { token, askedAt } = answer
        const isBound = token.token_type === "DPoP"
        if (!covers(token.scope, [payment.choice.terms.scope]) || (isBound && !payment.prover)) {
          payment.uncertain = true
          throw keptError("answer_malformed", payment)
        }
        const grant: Grant = {
          id: token.grant.id,
          resource: payment.resource,
          network: payment.choice.network.id,
          tokenEndpoint: payment.tokenEndpoint,
          secret: payment.secret,
          // A service that does not know DPoP sells bearer tokens all the same.
          prover: isBound ? payment.prover : undefined,
          ...standingOf(token, askedAt),
        }
        wallet.drop(key)
        wallet.add(grant)
        // Let in free; but the signature could be submitted all the same, so it counts until that is too late.
        if (grant.settlement === "none") payment.reservation.release(payment.validBefore)
        emit({
          type: "purchased",
          origin: grant.resource.origin,
          grant: grant.id,
          scope: grant.scope,
          expiresAt: grant.expiresAt,
          settlement: grant.settlement,
        })
        return grant
      }
      case "refused":
        // After a lost answer a refusal proves nothing: the first sending may have been taken.
        if (payment.uncertain) throw keptError("outcome_unknown", payment, answer.reason)
        wallet.drop(key)
        payment.reservation.release(payment.validBefore)
        throw new TicketError("purchase_refused", sentenceOf(answer.reason), {
          action: answer.action,
          ...(answer.reason !== undefined && { reason: answer.reason }),
        })
      case "odd":
        payment.uncertain = true
        throw keptError(answer.code, payment)
      case "pending":
        throw keptError("settlement_pending", payment)
      case "lost":
        throw keptError("outcome_unknown", payment)
    }
  }
}

const kept: Partial<Record<TicketErrorCode, string>> = {
  answer_malformed: "The token endpoint's answer to the payment is not readable.",
  answer_redirected: "The token endpoint answered the payment with a redirect, which was not followed.",
  asked_to_pay_again: "The token endpoint asked for another payment instead of answering this one.",
  payment_conflict: "The token endpoint does not accept this payment as ours.",
  settlement_pending: "The service has taken the payment and gives the token once its money is in.",
  outcome_unknown: "The payment is signed and sent, and its outcome is not known.",
}

/** The payment stays in the wallet: until it is worthless, the next call sends it again and signs no other. */
const keptError = (code: TicketErrorCode, payment: Payment, reason?: string): TicketError =>
  new TicketError(code, `${kept[code]} It is kept and sent again before another is signed.`, {
    action: code === "outcome_unknown" || code === "settlement_pending" ? "retry" : "stop",
    ...(reason !== undefined && { reason }),
    found: `a payment good until ${payment.validBefore}`,
  })

/** The sentence is our own table's, never the service's text. */
const sentenceOf = (reason: string | undefined): string =>
  reason !== undefined && Object.hasOwn(refusals, reason)
    ? refusals[reason as Reason].description
    : "The service refused the payment."
