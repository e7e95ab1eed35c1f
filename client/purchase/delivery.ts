/** Delivering a signed payment: sent until its answer is definite, and kept while that is not known (CLI-14). */
import { type Reason, refusals } from "../../shared/refusals.ts"
import { daySeconds } from "../core/budget-rules.ts"
import { Ticket402Error, type Ticket402ErrorCode } from "../core/errors.ts"
import type { ClientEvent } from "../core/events.ts"
import { type Exclusively, type Holding, refreshOf } from "../wallet/locks.ts"
import { type ClientStore, type Grant, keyOf, type Payment } from "../wallet/store.ts"
import { covers, grantStateOf, type Wallet } from "../wallet/wallet.ts"
import type { Provers } from "../wire/dpop.ts"
import { type Answer, type ExchangeTools, exchange, persist } from "../wire/token-endpoint.ts"
import type { Budget } from "./budget.ts"
import { lastSendingAt, mayStillPay, paymentHeaders } from "./payment.ts"

export type Delivery = {
  /** Sends a payment that was just written down. Throws a {@link Ticket402Error} when it buys nothing, or nothing yet. */
  deliver(payment: Payment, holding: Holding): Promise<Grant>
  /** An earlier call's payment comes first. Undefined once it is certain, or late enough, that it buys nothing. */
  resume(payment: Payment, holding: Holding): Promise<Grant | undefined>
}

export type DeliveryDeps = ExchangeTools & {
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly budget: Budget
  readonly exclusively: Exclusively
  readonly provers: Provers
  readonly resendSeconds: number
  readonly emit: (event: ClientEvent) => void
}

export function createDelivery(deps: DeliveryDeps): Delivery {
  const { store, wallet, budget, emit, now } = deps

  return {
    deliver: (payment, holding) =>
      withGrant(payment, holding, async (held) => {
        const { answer, sent } = await carry(payment, held)
        return settle(sent, answer)
      }),
    async resume(payment, holding) {
      const { name, holder } = holding
      if (!mayStillPay(payment, now() - daySeconds)) {
        await store.drop(payment)
        return undefined
      }
      return withGrant(payment, holding, async (held) => {
        const { answer, sent } = await carry({ ...payment, claim: { name, holder } }, held)
        const isOpen = mayStillPay(payment, now()) || answer.kind === "lost" || answer.kind === "pending"
        if (answer.kind === "token" || isOpen) return settle(sent, answer)
        await store.drop(payment)
        return undefined
      })
    },
  }

  /** A further payment shows a refresh token, and brings one back: no refresh may come in between. */
  function withGrant<T>(
    { account, resource, grant }: Payment,
    holding: Holding,
    work: (holding: Holding) => Promise<T>,
  ): Promise<T> {
    if (grant === undefined) return work(holding)
    return deps.exclusively(refreshOf({ account, resource, id: grant }), ({ extend }) =>
      work({ ...holding, extend: async () => void (await Promise.all([holding.extend(), extend()])) }),
    )
  }

  async function carry(payment: Payment, holding: Holding): Promise<{ answer: Answer; sent: Payment }> {
    const until = now() + deps.resendSeconds
    const url = new URL(payment.tokenEndpoint)
    const { origin } = new URL(payment.resource)
    const prover = deps.provers(payment.proofKey)
    let { sends } = payment
    const send = async (): Promise<Answer> => {
      await holding.extend()
      const headers = paymentHeaders({ ...payment, sends })
      const refreshToken = (await heldFor(payment))?.refreshToken
      sends++
      if (sends > 1) emit({ type: "resent", origin, what: "purchase", attempt: sends })
      const body =
        refreshToken === undefined ? undefined : new URLSearchParams({ refresh_token: refreshToken })
      return exchange({ url, headers, prover, ...(body && { body }) }, deps)
    }
    const { answer, uncertain } = await persist(
      send,
      Math.min(until, lastSendingAt(payment)),
      deps,
      // Taken is taken: asking for the outcome is no use of the payment that its end could forbid.
      until,
    )
    return { answer, sent: { ...payment, sends, uncertain: payment.uncertain || uncertain } }
  }

  /** What a further payment adds to, as it is by now: a refresh may have changed what shows that it is ours. */
  async function heldFor({ account, resource, grant: id }: Payment): Promise<Grant | undefined> {
    if (id === undefined) return undefined
    const key = keyOf({ account, resource, id })
    return (await store.grants(account)).find((grant) => keyOf(grant) === key)
  }

  /** Turns an answer into a grant or an error, and says whether the payment must be kept. */
  async function settle(payment: Payment, answer: Answer): Promise<Grant> {
    switch (answer.kind) {
      case "token": {
        const { token, askedAt } = answer
        const isBound = token.token_type === "DPoP"
        if (!covers(token.scope, [payment.scope]) || (isBound && !payment.proofKey))
          throw await kept("answer_malformed", { ...payment, uncertain: true })
        const bought: Grant = {
          id: token.grant.id,
          account: payment.account,
          resource: payment.resource,
          network: payment.network,
          tokenEndpoint: payment.tokenEndpoint,
          secret: payment.secret,
          // A service that does not know DPoP sells bearer tokens all the same.
          proofKey: isBound ? payment.proofKey : undefined,
          ...grantStateOf(token, askedAt),
        }
        const held = await heldFor(payment)
        const grant = held ? { ...held, ...grantStateOf(token, askedAt) } : bought
        await wallet.add(grant, payment)
        // Let in free; but the signature could be submitted all the same, so it counts until that is too late.
        if (grant.settlement === "none") await budget.giveBack(payment.reservation, payment.validBefore)
        emit({
          type: "purchased",
          origin: new URL(grant.resource).origin,
          grant: grant.id,
          scope: grant.scope,
          expiresAt: grant.expiresAt,
          settlement: grant.settlement,
        })
        return grant
      }
      case "refused":
        // After a lost answer a refusal proves nothing: the first sending may have been taken.
        if (payment.uncertain) throw await kept("outcome_unknown", payment, answer.reason)
        await store.drop(payment)
        await budget.giveBack(payment.reservation, payment.validBefore)
        throw new Ticket402Error("purchase_refused", sentenceOf(answer.reason), {
          action: answer.action,
          ...(answer.reason !== undefined && { reason: answer.reason }),
        })
      case "odd":
        throw await kept(answer.code, { ...payment, uncertain: true })
      case "pending":
        throw await kept("settlement_pending", payment)
      case "lost":
        throw await kept("outcome_unknown", payment)
    }
  }

  /** The payment stays in the store: until it is worthless, the next call sends it again and signs no other. */
  async function kept(code: Ticket402ErrorCode, payment: Payment, reason?: string): Promise<Ticket402Error> {
    await store.keep(payment)
    return new Ticket402Error(code, `${whyKept[code]} It is kept and sent again before another is signed.`, {
      action: code === "outcome_unknown" || code === "settlement_pending" ? "retry" : "stop",
      ...(reason !== undefined && { reason }),
      found: `a payment good until ${payment.validBefore}`,
    })
  }
}

const whyKept: Partial<Record<Ticket402ErrorCode, string>> = {
  answer_malformed: "The token endpoint's answer to the payment is not readable.",
  answer_redirected: "The token endpoint answered the payment with a redirect, which was not followed.",
  asked_to_pay_again: "The token endpoint asked for another payment instead of answering this one.",
  payment_conflict: "The token endpoint does not accept this payment as ours.",
  settlement_pending: "The service has taken the payment and gives the token once its money is in.",
  outcome_unknown: "The payment is signed and sent, and its outcome is not known.",
}

/** The sentence is our own table's, never the service's text. */
const sentenceOf = (reason: string | undefined): string =>
  reason !== undefined && Object.hasOwn(refusals, reason)
    ? refusals[reason as Reason].description
    : "The service refused the payment."
