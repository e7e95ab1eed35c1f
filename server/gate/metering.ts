/** Metering at the gate: units are taken from the store in slices, spent in memory, and what is not used goes back. */
import { setTimeout as sleep } from "node:timers/promises"
import { type SliceReport, sliceSeconds } from "../core/units.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"

/** A call that was let through and has cost units. */
export type Charge = {
  /** All that was ever given to the grant. */
  readonly quota: number
  /** What the grant has after this call, as far as this process knows. */
  readonly remaining: number
  readonly cost: number
  /** Says once what became of the call: one that the service failed to answer costs nothing. */
  settle(outcome: "kept" | "returned"): void
}

/** `crowded`: too many calls wait for units already. */
export type Shortage = "exhausted" | "unavailable" | "crowded"

export type Metering = {
  spend(grantId: string, cost: number): Promise<Charge | Shortage>
  start(): void
  /** Gives back what was not used. Calls still under way count as used. */
  stop(): Promise<void>
}

/** A slice as this process has it; what is neither spent, unused nor available is under way. */
type HeldSlice = {
  readonly id: number
  readonly units: number
  readonly takenAt: number
  available: number
  spent: number
  unused: number
  /** What the store knows. */
  reported: { readonly spent: number; readonly unused: number }
}

type Account = {
  readonly grantId: string
  /** The newest is spent from, the others wait for calls under way. */
  heldSlices: HeldSlice[]
  current: HeldSlice | undefined
  /** One errand to the store at a time: what every call for this grant waits for. */
  pending: Promise<void> | undefined
  quota: number
  /** Outside this process. */
  rest: number
  /** Remembered for a moment, so that who has nothing left costs no look into the store each time. */
  short: { readonly cost: number; readonly until: number; readonly why: Shortage } | undefined
}

const sweepMilliseconds = 250
const shortSeconds = 1
/** A little longer than other processes keep what they do not use. */
const patienceMilliseconds = (sliceSeconds + 1) * 1000
const askAgainMilliseconds = 100
/** Calls of all grants that wait for an errand. */
const mostWaiting = 1000

export function createMetering(
  deps: { store: Pick<Store, "takeUnits" | "reportUnits">; now: Now; log: Logger },
  options: { readonly holder: string },
): Metering {
  const { store, now, log } = deps
  const accounts = new Map<string, Account>()
  let waiting = 0
  let sweeping: NodeJS.Timeout | undefined
  let stopping = false

  function accountOf(grantId: string): Account {
    const known = accounts.get(grantId)
    if (known) return known
    const account: Account = {
      grantId,
      heldSlices: [],
      current: undefined,
      pending: undefined,
      quota: 0,
      rest: 0,
      short: undefined,
    }
    accounts.set(grantId, account)
    return account
  }

  function charge(account: Account, held: HeldSlice, cost: number): Charge {
    held.available -= cost
    let settled = false
    return {
      quota: account.quota,
      remaining: account.rest + held.available,
      cost,
      settle(outcome) {
        if (settled || stopping) return
        settled = true
        if (outcome === "kept") held.spent += cost
        else {
          if (held === account.current) held.available += cost
          else held.unused += cost
          account.short = undefined
        }
      },
    }
  }

  async function spend(grantId: string, cost: number): Promise<Charge | Shortage> {
    const account = accountOf(grantId)
    for (;;) {
      const { current, short } = account
      if (current && current.available >= cost) return charge(account, current, cost)
      if (short && cost >= short.cost && now() < short.until) return short.why
      if (waiting >= mostWaiting || stopping) return "crowded"
      waiting += 1
      await (account.pending ?? run(account, () => fill(account, cost)))
      waiting -= 1
    }
  }

  function run(account: Account, work: () => Promise<void>): Promise<void> {
    const pending = work().finally(() => {
      account.pending = undefined
    })
    account.pending = pending
    return pending
  }

  /** Takes a slice that is good for the cost, or notes why there is none. */
  async function fill(account: Account, cost: number): Promise<void> {
    const { grantId } = account
    const until = performance.now() + patienceMilliseconds
    retire(account)
    try {
      for (;;) {
        const reports = reportOf(account)
        const taken = await store.takeUnits({ grantId, holder: options.holder, cost, reports, now: now() })
        noteReported(account, reports)
        account.quota = taken.given
        account.rest = taken.left + taken.elsewhere
        if (taken.slice) {
          const { id, units } = taken.slice
          const reported = { spent: 0, unused: 0 }
          const held: HeldSlice = {
            id,
            units,
            takenAt: now(),
            available: units,
            spent: 0,
            unused: 0,
            reported,
          }
          account.heldSlices.push(held)
          account.current = held
          return
        }
        // Others may bring back what they do not use; who crashed never does, and is not waited for.
        const isWorthWaiting = taken.left + taken.elsewhere >= cost && performance.now() < until && !stopping
        if (!isWorthWaiting) break
        await sleep(askAgainMilliseconds)
      }
      account.short = { cost, until: now() + shortSeconds, why: "exhausted" }
    } catch (error) {
      log.warn({ err: error, grant: grantId }, "units could not be taken")
      account.short = { cost: 0, until: now() + shortSeconds, why: "unavailable" }
    }
  }

  /** Nothing more is spent from the slice. */
  function retire(account: Account): void {
    const { current } = account
    if (!current) return
    current.unused += current.available
    current.available = 0
    account.current = undefined
  }

  /** Of a slice that is being spent nothing is told yet. */
  const reportOf = ({ heldSlices, current }: Account): readonly SliceReport[] =>
    heldSlices
      .filter(
        (held) =>
          held !== current && (held.spent !== held.reported.spent || held.unused !== held.reported.unused),
      )
      .map(({ id, spent, unused }) => ({ sliceId: id, spent, unused }))

  function noteReported(account: Account, reports: readonly SliceReport[]): void {
    for (const { sliceId, spent, unused } of reports) {
      const held = account.heldSlices.find(({ id }) => id === sliceId)
      if (held) held.reported = { spent, unused }
    }
    account.heldSlices = account.heldSlices.filter(
      ({ units, reported }) => reported.spent + reported.unused < units,
    )
  }

  /** Failing leaves it to the next time: totals are told, so nothing is lost and nothing counts twice. */
  async function tell(account: Account): Promise<void> {
    const reports = reportOf(account)
    try {
      await store.reportUnits({ reports })
      noteReported(account, reports)
    } catch (error) {
      log.warn({ err: error, grant: account.grantId }, "units could not be given back yet")
    }
  }

  function sweep(): void {
    const at = now()
    for (const account of accounts.values()) {
      if (account.pending !== undefined) continue
      const { current, short } = account
      const isOld = current !== undefined && at >= current.takenAt + sliceSeconds
      const isUsed = current !== undefined && current.spent === current.units
      if (isOld || isUsed) retire(account)
      if (reportOf(account).length > 0) void run(account, () => tell(account))
      else if (account.heldSlices.length === 0 && !(short && at < short.until))
        accounts.delete(account.grantId)
    }
  }

  return {
    spend,
    start() {
      sweeping ??= setInterval(sweep, sweepMilliseconds).unref()
    },
    async stop() {
      stopping = true
      clearInterval(sweeping)
      for (const account of accounts.values()) {
        await account.pending
        retire(account)
        for (const held of account.heldSlices) held.spent = held.units - held.unused
        await tell(account)
      }
    },
  }
}
