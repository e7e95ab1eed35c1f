/** What every payment goes through before it is sent: somebody's word, the budget, the signature, and paper. */
import { formatAmount } from "../../shared/values/amount.ts"
import { bytesToHex } from "../../shared/values/evm.ts"
import type { Show } from "../core/challenge.ts"
import { Ticket402Error } from "../core/errors.ts"
import type { ClientEvent } from "../core/events.ts"
import type { Place } from "../core/origins.ts"
import type { Choice } from "../core/policy.ts"
import type { Holding } from "../wallet/locks.ts"
import type { ClientStore, Grant, Payment } from "../wallet/store.ts"
import { createProofKey } from "../wire/dpop.ts"
import { type Approval, approvalSeconds } from "./approval.ts"
import type { Budget } from "./budget.ts"
import { type SigningTools, signPayment } from "./payment.ts"

export type BookingDeps = SigningTools & {
  readonly store: ClientStore
  readonly budget: Budget
  readonly approval: Approval
  /** Whether every purchase is bound to a key, and not only those of offers that ask for it. */
  readonly dpop: boolean
  readonly emit: (event: ClientEvent) => void
}

export type Booking = {
  readonly choice: Choice
  readonly place: Place
  /** Under which the store keeps the payment until it is answered; the place's resource unless told. */
  readonly key?: string
  readonly show?: Show
  /** What it adds to; absent where it buys a grant. */
  readonly further?: Grant
}

/** A payment that is approved, counted, signed and written down, by whoever holds the claim; nothing is sent. */
export type Book = (booking: Booking, holding: Holding) => Promise<Payment>

export function createBook(deps: BookingDeps): Book {
  const { store, budget, approval, emit } = deps

  return async (booking, holding) => {
    const { choice, place } = booking
    requireCurrent(choice, deps.now())
    const claim = { name: holding.name, holder: holding.holder }
    const spending = {
      id: bytesToHex(deps.random(16)),
      claim,
      micros: choice.micros,
      origin: place.resource.origin,
      offer: nameOf(choice.offer),
      payTo: choice.payTo,
      recipients: choice.recipients,
      isApproved: choice.recipient !== "known",
    }
    const reason = approval.reasonFor(choice)
    if (reason) {
      // So that nobody is asked in vain.
      await budget.check(spending)
      await holding.extend(approvalSeconds)
      await approval.ask(choice, place, reason)
      requireCurrent(choice, deps.now())
    }
    const isBooked = await budget.reserve(spending)
    if (!isBooked) throw overtaken()
    emit({
      type: "purchase_started",
      origin: spending.origin,
      offer: choice.offer,
      scope: choice.terms.scope,
      amount: formatAmount(choice.amount, choice.asset.decimals),
      asset: choice.asset.symbol,
      network: choice.network.id,
    })
    const payment = await sign(booking, { reservation: spending.id, claim })
    // Before it is sent, and as if it had been: whoever finds it after a crash cannot tell.
    if (!(await store.keep({ ...payment, sends: 1, uncertain: true }))) throw overtaken()
    return payment
  }

  async function sign(
    { choice, place, show, further, key = place.resource.href }: Booking,
    booked: Pick<Payment, "reservation" | "claim">,
  ): Promise<Payment> {
    const isBound = !show && !further && (deps.dpop || choice.terms.dpop === "required")
    try {
      const proofKey = isBound ? await createProofKey(store.writesDown) : further?.proofKey
      const booking = { ...booked, proofKey, grant: further?.id }
      return { ...(await signPayment(choice, place, booking, deps, show)), resource: key }
    } catch (error) {
      await store.cancel(booked.reservation)
      throw error
    }
  }
}

/** The name of an offer without the version of its terms: a seller who changes the terms sells the same thing. */
export const nameOf = (offer: string): string => offer.split("@", 1)[0] ?? offer

/** What is signed for a quote that is over is refused, and counts against the budget all the same. */
function requireCurrent({ terms }: Choice, now: number): void {
  if (now <= (terms.priceExpiresAt ?? Number.POSITIVE_INFINITY)) return
  throw new Ticket402Error("price_expired", "The price was over before the purchase could be signed.", {
    action: "buy",
    found: `a price until ${terms.priceExpiresAt}`,
  })
}

const overtaken = (): Ticket402Error =>
  new Ticket402Error(
    "purchase_overtaken",
    "Another client of the store took this purchase over; nothing was sent.",
    {
      action: "retry",
    },
  )
