/** Buying: one payment for any number of calls that wait for it, carried to its answer whoever stops waiting. */

import { setBounded } from "../core/bounded.ts"
import { type Challenge, scopesOf } from "../core/challenge.ts"
import type { Place } from "../core/origins.ts"
import type { Choice } from "../core/policy.ts"
import { createSingleFlight } from "../core/single-flight.ts"
import { createTurns } from "../core/turns.ts"
import type { Grant } from "../wallet/store.ts"
import { covers } from "../wallet/wallet.ts"
import type { Book } from "./booking.ts"
import { createDelivery, type DeliveryDeps } from "./delivery.ts"

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
  /** What is added to; where it is not given a grant is bought. */
  readonly further?: Grant
}

/** `isNew`: paid for now, and not found where another process had put it. */
export type Bought = { readonly grant: Grant; readonly isNew: boolean }

export type Purchases = {
  /** A grant for the order, or a {@link Ticket402Error}. Calls that order the same thing at the same time share one. */
  buy(order: Order): Promise<Bought>
  /** A counter that tells calls from before a failure from calls after it. */
  tick(): number
}

type Failure = { readonly error: unknown; readonly at: number; readonly attempt: 1 | 2 }

export type PurchaseDeps = DeliveryDeps & {
  readonly book: Book
}

export function createPurchases(deps: PurchaseDeps): Purchases {
  const { store, wallet, exclusively } = deps
  const delivery = createDelivery(deps)
  const flights = createSingleFlight<string, Bought>()
  const inTurn = createTurns()
  const failures = new Map<string, Failure>()
  let ticks = 0

  return {
    tick: () => ++ticks,
    async buy(order) {
      const { place, choice, further } = order
      const key = `${place.resourceText} ${choice.offer} ${further?.id ?? ""}`
      // Of many parallel calls some hear their 402 only after the purchase of the others failed: it was theirs too.
      const failure = failures.get(key)
      const itsOwn = failure && failure.at > order.since && failure.attempt >= order.attempt
      if (itsOwn && !flights.has(key)) throw failure.error
      return flights.share(key, async () => {
        try {
          // So at most one payment of a resource is ever without an answer.
          return await inTurn(place.resource.href, () => purchaseOne(order))
        } catch (error) {
          setBounded(failures, key, { error, at: ++ticks, attempt: order.attempt }, failuresRemembered)
          throw error
        }
      })
    },
  }

  function purchaseOne({ choice, challenge, place, arrived, further }: Order): Promise<Bought> {
    const resource = place.resource.href
    return exclusively(`buy ${wallet.account} ${resource}`, async (holding) => {
      // Somebody else may have bought while this waited for its turn.
      const held = await arrived()
      if (held) return { grant: held, isNew: false }
      const old = await store.unanswered(wallet.account, resource)
      if (old) {
        const grant = await delivery.resume(old, holding)
        const isWanted = further ? old.grant === further.id : covers(grant?.scope ?? "", scopesOf(challenge))
        if (grant && isWanted) return { grant, isNew: true }
      }
      const payment = await deps.book({ choice, place, ...(further && { further }) }, holding)
      return { grant: await delivery.deliver(payment, holding), isNew: true }
    })
  }
}
