/** Prepares a payment: approval, budget, signature, durable record. Sends nothing. */
import { formatAmount } from "../../shared/values/amount.ts"
import { bytesToHex } from "../../shared/values/evm.ts"
import type { Spending } from "../core/budget-rules.ts"
import type { Show } from "../core/challenge.ts"
import { Ticket402Error } from "../core/errors.ts"
import type { ClientEvent } from "../core/events.ts"
import type { Place } from "../core/origins.ts"
import type { Choice } from "../core/policy.ts"
import type { HeldLock } from "../wallet/locks.ts"
import type { ClientStore, Grant, LockHolder, Payment } from "../wallet/store.ts"
import { createProofKey, type ProofKey, type Provers } from "../wire/dpop.ts"
import { type Approval, approvalSeconds } from "./approval.ts"
import type { Budget } from "./budget.ts"
import { type SigningTools, signPayment } from "./payment.ts"

export type PreparePaymentDeps = SigningTools & {
  readonly store: ClientStore
  readonly budget: Budget
  readonly approval: Approval
  /** Whether every purchase is bound to a key, and not only those of offers that ask for it. */
  readonly dpop: boolean
  readonly provers: Provers
  readonly emit: (event: ClientEvent) => void
}

export type PaymentPlan = {
  readonly choice: Choice
  readonly place: Place
  /** The store keeps the payment under this key until it is answered; the place's resource by default. */
  readonly key?: string
  readonly show?: Show
  /** The grant that it tops up; absent where it buys one. */
  readonly topUpOf?: Grant
}

/** Returns a payment that is approved, reserved in the budget, signed and written down under the lock. */
export type PreparePayment = (plan: PaymentPlan, lock: HeldLock) => Promise<Payment>

export function createPreparePayment(deps: PreparePaymentDeps): PreparePayment {
  const { store, budget, approval, emit } = deps

  return async (plan, held) => {
    const { choice, place } = plan
    requireCurrentPrice(choice, deps.now())
    const lock = { name: held.name, holder: held.holder }
    const spending = spendingOf(plan, lock, bytesToHex(deps.random(16)))
    const reason = approval.reasonFor(choice)
    if (reason) {
      // Before the question, so that nobody approves a purchase that the budget refuses.
      await budget.check(spending)
      await held.extend(approvalSeconds)
      await approval.ask(choice, place, reason)
      requireCurrentPrice(choice, deps.now())
    }
    const proofKey = await prepareProof(plan)
    const isReserved = await budget.reserve(spending)
    if (!isReserved) throw overtaken()
    emit(startedEventOf(plan))
    const payment = await sign(plan, { reservation: spending.id, lock, proofKey })
    // Written down before it is sent, and as sent once: after a crash the payment may be on its way.
    if (!(await store.keep({ ...payment, sends: 1, uncertain: true }))) throw overtaken()
    return payment
  }

  /** Makes the key and a proof before anything is signed: a host without the algorithm fails here, at no cost. */
  async function prepareProof({ choice, place, show, topUpOf }: PaymentPlan): Promise<ProofKey | undefined> {
    const isBound = !show && !topUpOf && (deps.dpop || choice.terms.dpop === "required")
    try {
      const proofKey = isBound ? await createProofKey(store.isDurable) : topUpOf?.proofKey
      await deps.provers(proofKey)?.prove({ method: "POST", url: place.tokenEndpoint })
      return proofKey
    } catch (cause) {
      throw new Ticket402Error("not_sent", "The key for the token could not be made. Nothing was signed.", {
        action: "stop",
        cause,
      })
    }
  }

  async function sign(
    { choice, place, show, topUpOf, key = place.resource.href }: PaymentPlan,
    reserved: Pick<Payment, "reservation" | "lock" | "proofKey">,
  ): Promise<Payment> {
    try {
      const record = { ...reserved, grant: topUpOf?.id }
      return { ...(await signPayment(choice, place, record, deps, show)), resource: key }
    } catch (error) {
      await store.cancel(reserved.reservation)
      throw error
    }
  }
}

const spendingOf = ({ choice, place }: PaymentPlan, lock: LockHolder, id: string): Spending => ({
  id,
  lock,
  micros: choice.micros,
  origin: place.resource.origin,
  offer: nameOf(choice.offer),
  payTo: choice.payTo,
  recipients: choice.recipients,
  isApproved: choice.recipient !== "known",
})

const startedEventOf = ({ choice, place }: PaymentPlan): ClientEvent => ({
  type: "purchase_started",
  origin: place.resource.origin,
  offer: choice.offer,
  scope: choice.terms.scope,
  amount: formatAmount(choice.amount, choice.asset.decimals),
  asset: choice.asset.symbol,
  network: choice.network.id,
})

/** The name of an offer without the version of its terms: new terms do not reset the limit of an offer. */
export const nameOf = (offer: string): string => offer.split("@", 1)[0] ?? offer

/** A signature for an expired quote is refused by the seller, and counts against the budget all the same. */
function requireCurrentPrice({ terms }: Choice, now: number): void {
  if (now <= (terms.priceExpiresAt ?? Number.POSITIVE_INFINITY)) return
  throw new Ticket402Error("price_expired", "The price expired before the purchase could be signed.", {
    action: "buy",
    found: `a price until ${terms.priceExpiresAt}`,
  })
}

const overtaken = (): Ticket402Error =>
  new Ticket402Error(
    "purchase_overtaken",
    "Another client of the store took this purchase over; nothing was sent.",
    { action: "retry" },
  )
