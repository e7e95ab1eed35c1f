/** Buying: one payment for any number of calls that wait for it, carried to its answer whoever stops waiting. */
import pLimit, { type LimitFunction } from "p-limit"
import { formatAmount } from "../shared/amount.ts"
import { bytesToHex } from "../shared/evm.ts"
import { type Approval, approvalSeconds } from "./approval.ts"
import { setBounded } from "./bounded.ts"
import type { Challenge } from "./challenge.ts"
import type { Exclusively } from "./claims.ts"
import { createDelivery, type DeliveryDeps } from "./delivery.ts"
import { createProofKey } from "./dpop.ts"
import { TicketError } from "./errors.ts"
import type { Place } from "./origins.ts"
import { type SigningTools, signPayment } from "./payment.ts"
import type { Choice } from "./policy.ts"
import { createSingleFlight } from "./single-flight.ts"
import type { Grant, Payment } from "./store.ts"
import { covers } from "./wallet.ts"

const failuresRemembered = 100

export type Order = {
  readonly choice: Choice
  readonly challenge: Challenge
  readonly place: Place
  /** When the call began, on the counter of {@link Purchases.tick}. */
  readonly since: number
  /** 2 once the offers were read again after a correctable refusal. */
  readonly attempt: 1 | 2
  /** A grant that would do and was not there before. */
  readonly arrived: () => Promise<Grant | undefined>
}

/** `isNew`: paid for now, and not found where another process had put it. */
export type Bought = { readonly grant: Grant; readonly isNew: boolean }

export type Purchases = {
  /** A grant for the order, or a {@link TicketError}. Calls that order the same thing at the same time share one. */
  buy(order: Order): Promise<Bought>
  /** A counter that tells calls from before a failure from calls after it. */
  tick(): number
}

type Failure = { readonly error: unknown; readonly at: number; readonly attempt: 1 | 2 }

export type PurchaseDeps = DeliveryDeps &
  SigningTools & {
    readonly exclusively: Exclusively
    readonly approval: Approval
    /** Whether every purchase is bound to a key, and not only those of offers that ask for it. */
    readonly dpop: boolean
  }

export function createPurchases(deps: PurchaseDeps): Purchases {
  const { store, wallet, budget, approval, exclusively, emit } = deps
  const delivery = createDelivery(deps)
  const flights = createSingleFlight<string, Bought>()
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
          setBounded(failures, key, { error, at: ++ticks, attempt: order.attempt }, failuresRemembered)
          throw error
        }
      })
    },
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

  function purchaseOne({ choice, challenge, place, arrived }: Order): Promise<Bought> {
    const resource = place.resource.href
    return exclusively(`buy ${wallet.account} ${resource}`, async (holding) => {
      const claim = { name: holding.name, holder: holding.holder }
      // Somebody else may have bought while this waited for its turn.
      const held = await arrived()
      if (held) return { grant: held, isNew: false }
      const old = await store.unanswered(wallet.account, resource)
      if (old) {
        const grant = await delivery.resume(old, holding)
        const offered = Object.values(challenge.info.offers).map((terms) => terms.scope)
        if (grant && covers(grant.scope, offered)) return { grant, isNew: true }
      }
      wantCurrent(choice, deps.now())
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
        wantCurrent(choice, deps.now())
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
      const payment = await sign(choice, place, { reservation: spending.id, claim })
      // Before it is sent, and as if it had been: whoever finds it after a crash cannot tell.
      if (!(await store.keep({ ...payment, sends: 1, uncertain: true }))) throw overtaken()
      return { grant: await delivery.deliver(payment, holding), isNew: true }
    })
  }

  async function sign(
    choice: Choice,
    place: Place,
    booking: Pick<Payment, "reservation" | "claim">,
  ): Promise<Payment> {
    const isBound = deps.dpop || choice.terms.dpop === "required"
    try {
      const proofKey = isBound ? await createProofKey(store.writesDown) : undefined
      return await signPayment(choice, place, { ...booking, proofKey }, deps)
    } catch (error) {
      await store.cancel(booking.reservation)
      throw error
    }
  }
}

/** The name of an offer without the version of its terms: a seller who changes the terms sells the same thing. */
export const nameOf = (offer: string): string => offer.split("@", 1)[0] ?? offer

/** What is signed for a quote that is over is refused, and counts against the budget all the same. */
function wantCurrent({ terms }: Choice, now: number): void {
  if (now <= (terms.priceExpiresAt ?? Number.POSITIVE_INFINITY)) return
  throw new TicketError("price_expired", "The price was over before the purchase could be signed.", {
    action: "buy",
    found: `a price until ${terms.priceExpiresAt}`,
  })
}

const overtaken = (): TicketError =>
  new TicketError(
    "purchase_overtaken",
    "Another client of the store took this purchase over; nothing was sent.",
    {
      action: "retry",
    },
  )
