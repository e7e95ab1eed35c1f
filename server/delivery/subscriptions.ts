/** Hands entries of the ledger to functions of this process: in order, each at least once, until it is handled. */
import { setTimeout as sleep } from "node:timers/promises"
import { type LedgerEntry, type LedgerKind, ledgerKinds } from "../core/ledger-facts.ts"
import { parsePlace, placeText } from "../core/ledger-filter.ts"
import type { Logger } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { type LedgerStore, readPage } from "./ledger-reader.ts"
import type { LedgerTail } from "./ledger-tail.ts"

/** An entry, with the id under which a reader goes on after it. */
export type LedgerEvent = LedgerEntry & { readonly id: string }

/** An entry counts as handled when the handler resolves. When it rejects, it is called again with the same entry. */
export type EventHandler = (event: LedgerEvent) => unknown

export type SubscribeOptions = {
  /** The id of the last event that was handled: the caller keeps it. Without it, the next entry is the first. */
  readonly after?: string
}

export type Subscription = {
  /** Resolves when no handler runs any more. */
  stop(): Promise<void>
}

export type Subscribe = (
  kinds: readonly LedgerKind[] | "all",
  handler: EventHandler,
  options?: SubscribeOptions,
) => Subscription

export type SubscriptionDeps = {
  readonly store: LedgerStore & Pick<Store, "resume">
  readonly tail: LedgerTail
  readonly log: Logger
}

const pageSize = 100
/** Waits between tries of a failing handler or store; the last one is repeated. */
const pauses = [100, 500, 2000, 10_000, 60_000] as const

/** Throws a TypeError for an unknown kind, or an `after` that no event had. */
export function subscribe(
  deps: SubscriptionDeps,
  kinds: Parameters<Subscribe>[0],
  handler: EventHandler,
  { after }: SubscribeOptions = {},
): Subscription {
  const filter = kinds === "all" ? {} : { kinds: kinds.map(requireKind) }
  const place = after === undefined ? undefined : requirePlace(after)
  const stopping = new AbortController()
  const signal = AbortSignal.any([stopping.signal, deps.tail.stopped])

  async function startAt(): Promise<number> {
    if (!place) return (await deps.store.newest()).sequence
    const found = await deps.store.resume(place)
    if (found === null) deps.log.warn({ after }, "a subscription is not of these books; it starts anew")
    return found ?? 0
  }

  /** Repeats work that must succeed before anything else; undefined when the subscription ends first. */
  async function insist<T>(what: string, work: () => T | Promise<T>): Promise<Awaited<T> | undefined> {
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        return await work()
      } catch (error) {
        deps.log.error({ err: error, tries: tries + 1 }, what)
        const pause = pauses[Math.min(tries, pauses.length - 1)]
        await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
    return undefined
  }

  async function run(): Promise<void> {
    let last = await insist("a subscription could not be started", startAt)
    while (last !== undefined && !signal.aborted) {
      const from = last
      const page = await insist("a subscription could not read the ledger", () =>
        readPage(deps.store, filter, { after: from, limit: pageSize }),
      )
      if (!page) return
      for (const entry of page.found) {
        const id = placeText({ generation: page.generation, sequence: entry.sequence })
        await insist("a handler of ledger events failed; it is called again", () => handler({ ...entry, id }))
        if (signal.aborted) return
      }
      ;({ last } = page)
      if (page.isEnd) await deps.tail.grown(last, signal)
    }
  }

  const running = run()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

function requireKind(kind: LedgerKind): LedgerKind {
  if (ledgerKinds.includes(kind)) return kind
  throw new TypeError(
    `subscribe(): found the kind ${JSON.stringify(kind)}, wanted one of ${ledgerKinds.join(", ")}`,
  )
}

function requirePlace(after: string) {
  const place = parsePlace(after)
  if (place) return place
  throw new TypeError(`subscribe(): found after ${JSON.stringify(after)}, wanted the id of an event`)
}
