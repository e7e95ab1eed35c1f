/** Turns the answer to a payment into a grant or an error, and keeps or drops the payment accordingly. */
import { type Reason, refusals } from "../../shared/refusals.ts"
import { Ticket402Error, type Ticket402ErrorCode } from "../core/errors.ts"
import type { ClientEvent } from "../core/events.ts"
import { covers } from "../core/grant-rules.ts"
import type { ClientStore, Grant, Payment } from "../wallet/store.ts"
import { grantStateOf, type Wallet } from "../wallet/wallet.ts"
import { troubleOf } from "../wire/persist.ts"
import type { Answer } from "../wire/token-endpoint.ts"
import type { Budget } from "./budget.ts"

export type ConcludeDeps = {
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly budget: Budget
  readonly emit: (event: ClientEvent) => void
}

export async function concludePayment(payment: Payment, answer: Answer, deps: ConcludeDeps): Promise<Grant> {
  switch (answer.kind) {
    case "token":
      return takeGrant(payment, answer, deps)
    case "refused":
      // After a lost answer a refusal proves nothing: the first sending may have been taken.
      if (payment.uncertain) throw await keep("outcome_unknown", payment, deps, answer)
      await deps.store.drop(payment)
      await deps.budget.giveBack(payment.reservation, payment.validBefore)
      throw new Ticket402Error("purchase_refused", sentenceOf(answer.reason), {
        action: answer.action,
        ...(answer.reason !== undefined && { reason: answer.reason }),
      })
    case "odd":
      throw await keep(answer.code, { ...payment, uncertain: true }, deps)
    case "pending":
      throw await keep("settlement_pending", payment, deps)
    case "lost":
      throw await keep("outcome_unknown", payment, deps, answer)
    case "unsent":
      if (payment.uncertain) throw await keep("outcome_unknown", payment, deps, answer)
      await deps.store.undo(payment)
      throw notSent(answer.cause)
  }
}

async function takeGrant(
  payment: Payment,
  { token, askedAt }: Extract<Answer, { kind: "token" }>,
  deps: ConcludeDeps,
): Promise<Grant> {
  const isBound = token.token_type === "DPoP"
  if (!covers(token.scope, [payment.scope]) || (isBound && !payment.proofKey))
    throw await keep("answer_malformed", { ...payment, uncertain: true }, deps)
  const bought = {
    id: token.grant.id,
    account: payment.account,
    resource: payment.resource,
    network: payment.network,
    tokenEndpoint: payment.tokenEndpoint,
    secret: payment.secret,
    // A service that does not know DPoP sells bearer tokens all the same.
    proofKey: isBound ? payment.proofKey : undefined,
  }
  const topped = await deps.wallet.toppedUpBy(payment)
  const grant: Grant = { ...(topped ?? bought), ...grantStateOf(token, askedAt) }
  await deps.wallet.add(grant, payment)
  // Free for a whitelisted account; but the signature could still be submitted, so it counts until that is too late.
  if (grant.settlement === "none") await deps.budget.giveBack(payment.reservation, payment.validBefore)
  deps.emit({
    type: "purchased",
    origin: new URL(grant.resource).origin,
    grant: grant.id,
    scope: grant.scope,
    expiresAt: grant.expiresAt,
    settlement: grant.settlement,
  })
  return grant
}

/** Keeps the payment in the store: until it is worthless, the next call sends it again and signs no other. */
async function keep(
  code: Ticket402ErrorCode,
  payment: Payment,
  { store }: ConcludeDeps,
  answer: Parameters<typeof troubleOf>[0] = { kind: "odd" },
): Promise<Ticket402Error> {
  await store.keep(payment)
  return new Ticket402Error(code, `${whyKept[code]} It is kept and sent again before another is signed.`, {
    action: code === "outcome_unknown" || code === "settlement_pending" ? "retry" : "stop",
    ...troubleOf(answer),
    found: `a payment good until ${payment.validBefore}`,
  })
}

export const notSent = (cause: unknown): Ticket402Error =>
  new Ticket402Error("not_sent", "The payment could not be sent, and does not count.", {
    action: "retry",
    cause,
  })

const whyKept: Partial<Record<Ticket402ErrorCode, string>> = {
  answer_malformed: "The token endpoint's answer to the payment is not readable.",
  answer_redirected: "The token endpoint answered the payment with a redirect, which was not followed.",
  asked_to_pay_again: "The token endpoint asked for another payment instead of answering this one.",
  payment_conflict: "The token endpoint does not accept this payment as ours.",
  settlement_pending: "The service has taken the payment and gives the token once its money is in.",
  outcome_unknown: "The payment is signed and sent, and its outcome is not known.",
}

/** The sentence comes from our own table, never from the service's text. */
const sentenceOf = (reason: string | undefined): string =>
  reason !== undefined && Object.hasOwn(refusals, reason)
    ? refusals[reason as Reason].description
    : "The service refused the payment."
