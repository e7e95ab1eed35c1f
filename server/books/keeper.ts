/** Keeps the books true while the service runs: no network sells before they are complete, and they are looked through. */
import { setTimeout as sleep } from "node:timers/promises"
import { Refusal } from "../../shared/refusals.ts"
import type { Logger } from "../ports/runtime.ts"
import type { CatchUp } from "./catch-up.ts"

export type Bookkeeper = {
  /** Throws the refusal `recovering` until the books have every payment of the network that the chain has. */
  check(network: string): void
  /** Resolves when every network was looked at once, whether it answered or not. */
  start(): Promise<void>
  stop(): Promise<void>
}

export type BookkeeperDeps = {
  readonly catchUps: readonly CatchUp[]
  /** Answers a line for each thing that is wrong with the books, and for each difference from the chain. */
  readonly audit: () => Promise<readonly string[]>
  /** Whether this process is the one that settles: it looks for all. */
  readonly holding: () => boolean
  readonly log: Logger
}

const retrySeconds = 1
/** Payments that others submitted, or that were under way when a backup was restored, are found so late at most. */
const catchUpSeconds = 60
const auditSeconds = 3600

export function createBookkeeper({ catchUps, audit, holding, log }: BookkeeperDeps): Bookkeeper {
  const complete = new Set<string>()
  const stopping = new AbortController()
  let running: Promise<unknown> | undefined

  async function attempt(
    what: string,
    network: string | undefined,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work()
    } catch (error) {
      log.warn({ network, err: error }, what)
    }
  }

  const open = ({ network, run }: CatchUp): Promise<void> =>
    attempt("the books could not be compared with the chain", network, async () => {
      await run()
      if (!complete.has(network)) log.info({ network }, "the books are complete; sales are open")
      complete.add(network)
    })

  const rest = (seconds: number): Promise<void> =>
    sleep(seconds * 1000, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined)

  async function follow(catchUp: CatchUp): Promise<void> {
    while (!stopping.signal.aborted) {
      const isComplete = complete.has(catchUp.network)
      await rest(isComplete ? catchUpSeconds : retrySeconds)
      if (!stopping.signal.aborted && (!isComplete || holding())) await open(catchUp)
    }
  }

  async function lookThrough(): Promise<void> {
    while (!stopping.signal.aborted) {
      await rest(auditSeconds)
      if (stopping.signal.aborted || !holding()) continue
      await attempt("the books could not be looked through", undefined, async () => {
        for (const line of await audit()) log.error({ broken: line }, "the books are not in order")
      })
    }
  }

  return {
    check(network) {
      if (!complete.has(network)) throw new Refusal("recovering")
    },
    start() {
      const first = Promise.all(catchUps.map(open))
      running ??= Promise.all([lookThrough(), first.then(() => Promise.all(catchUps.map(follow)))])
      return first.then(() => undefined)
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}
