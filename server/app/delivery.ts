/** Composes the readers of the ledger in this process: the store that reports its writes, the tail and subscriptions. */
import { createLedgerTail, type LedgerTail } from "../delivery/ledger-tail.ts"
import { type Subscribe, subscribe } from "../delivery/subscriptions.ts"
import type { Store } from "../ports/store.ts"
import { observed } from "../stores/observed.ts"
import type { Runtime } from "./runtime.ts"

export type Delivery = {
  /** The same store; readers of the ledger wake for its writes. */
  readonly store: Store
  readonly tail: LedgerTail
  readonly subscribe: Subscribe
}

export function createDelivery(opened: Store, { own, log }: Pick<Runtime, "own" | "log">): Delivery {
  const tail = createLedgerTail({ store: opened, log })
  own(tail, { stop: tail.stop })
  return {
    store: observed(opened, tail.wake),
    tail,
    subscribe: (kinds, handler, options) => subscribe({ store: opened, tail, log }, kinds, handler, options),
  }
}
