/** Buys: one payment for any number of calls that wait for it, delivered even when they stop waiting. */
import { setBounded } from "../core/bounded.ts"
import { type Challenge, scopesOf } from "../core/challenge.ts"
import { covers } from "../core/grant-rules.ts"
import type { Place } from "../core/origins.ts"
import type { Choice } from "../core/policy.ts"
import { createQueues } from "../core/queues.ts"
import { createSingleFlight } from "../core/single-flight.ts"
import type { Grant } from "../wallet/store.ts"
import { createDelivery, type DeliveryDeps } from "./delivery.ts"
import type { PreparePayment } from "./prepare-payment.ts"
import { requireUseful } from "./useful.ts"

const failuresRemembered = 100

export type Order = {
  readonly choice: Choice
  readonly challenge: Challenge
  readonly place: Place
  /** When the call began, on the counter of {@link Purchases.tick}. */
  readonly since: number
  /** 2 once the offers were read again after a correctable refusal. */
  readonly attempt: 1 | 2
  /** Finds a suitable grant that another process added meanwhile. */
  readonly findArrived: () => Promise<Grant | undefined>
  /** The grant to top up; absent where a grant is bought. */
  readonly topUpOf?: Grant
}

/** `isNew`: paid for now, and not found where another process had put it. */
export type Bought = { readonly grant: Grant; readonly isNew: boolean }

export type Purchases = {
  /** A grant for the order, or a {@link Ticket402Error}. Calls that order the same thing at the same time share one. */
  buy(order: Order): Promise<Bought>
  /** A counter that orders calls and failures. */
  tick(): number
}

type Failure = { readonly error: unknown; readonly at: number; readonly attempt: 1 | 2 }

export type PurchaseDeps = DeliveryDeps & {
  readonly preparePayment: PreparePayment
}

export function createPurchases(deps: PurchaseDeps): Purchases {
  const { store, wallet, withLock } = deps
  const delivery = createDelivery(deps)
  const flights = createSingleFlight<string, Bought>()
  const runInOrder = createQueues()
  const failures = new Map<string, Failure>()
  let ticks = 0

  return {
    tick: () => ++ticks,
    async buy(order) {
      const { place, choice, topUpOf } = order
      const key = `${place.resourceText} ${choice.offer} ${topUpOf?.id ?? ""}`
      // Of many parallel calls some receive their 402 after the purchase of the others failed: they share the failure.
      const failure = failures.get(key)
      const isShared = failure && failure.at > order.since && failure.attempt >= order.attempt
      if (isShared && !flights.has(key)) throw failure.error
      return flights.share(key, async () => {
        try {
          // In order, so that at most one payment of a resource is without an answer.
          return await runInOrder(place.resource.href, () => purchaseOne(order))
        } catch (error) {
          setBounded(failures, key, { error, at: ++ticks, attempt: order.attempt }, failuresRemembered)
          throw error
        }
      })
    },
  }

  function purchaseOne({ choice, challenge, place, findArrived, topUpOf }: Order): Promise<Bought> {
    const resource = place.resource.href
    return withLock(`buy ${wallet.account} ${resource}`, async (lock) => {
      const arrived = await findArrived()
      if (arrived) return { grant: arrived, isNew: false }
      const old = await store.findUnanswered(wallet.account, resource)
      if (old) {
        const grant = await delivery.resume(old, lock)
        const isWanted = topUpOf ? old.grant === topUpOf.id : covers(grant?.scope ?? "", scopesOf(challenge))
        if (grant && isWanted) return { grant, isNew: true }
      }
      if (!topUpOf) await requireUseful({ challenge, place }, wallet, deps.now())
      const payment = await deps.preparePayment({ choice, place, ...(topUpOf && { topUpOf }) }, lock)
      return { grant: await delivery.deliver(payment, lock), isNew: true }
    })
  }
}
