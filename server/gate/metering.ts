/** Meters calls at the gate: takes units from the store in slices, spends them in memory, returns unused ones. */
import { setTimeout as sleep } from "node:timers/promises"
import { sliceSeconds } from "../core/units.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import {
  type Account,
  type Charge,
  chargeCall,
  closeAccount,
  holdSlice,
  noteReported,
  openAccount,
  reportOf,
  retireOldSlice,
  retireSlice,
} from "./account.ts"

/** `crowded`: too many calls wait for units already. */
export type Shortage = "exhausted" | "unavailable" | "crowded"

export type Metering = {
  spend(grantId: string, cost: number): Promise<Charge | Shortage>
  start(): void
  /** Returns unused units. Calls still under way count as used. */
  stop(): Promise<void>
}

/** An account, and how this process asks the store for it. */
type Metered = {
  readonly account: Account
  /** The cost of all calls that wait. */
  wanted: number
  /** One request to the store at a time; every call for this grant waits for it. */
  pending: Promise<void> | undefined
  /** Kept for a moment, so that calls of an empty grant do not each ask the store. */
  short: { readonly cost: number; readonly until: number; readonly why: Shortage } | undefined
}

const sweepMilliseconds = 250
const shortSeconds = 1
/** A little longer than other processes keep units that they do not use. */
const patienceMilliseconds = (sliceSeconds + 1) * 1000
const askAgainMilliseconds = 100
/** Calls of all grants that wait for the store. */
const mostWaiting = 1000

export function createMetering(
  deps: { store: Pick<Store, "takeUnits" | "reportUnits">; now: Now; log: Logger },
  options: { readonly holder: string },
): Metering {
  const { store, now, log } = deps
  const grants = new Map<string, Metered>()
  let waiting = 0
  let sweeping: NodeJS.Timeout | undefined
  let stopping = false

  function meteredOf(grantId: string): Metered {
    const known = grants.get(grantId)
    if (known) return known
    const metered: Metered = {
      account: openAccount(grantId),
      wanted: 0,
      pending: undefined,
      short: undefined,
    }
    grants.set(grantId, metered)
    return metered
  }

  async function spend(grantId: string, cost: number): Promise<Charge | Shortage> {
    const metered = meteredOf(grantId)
    const forgetShortage = () => {
      metered.short = undefined
    }
    for (;;) {
      const charge = chargeCall(metered.account, cost, forgetShortage)
      if (charge) return charge
      const { short } = metered
      if (short && cost >= short.cost && now() < short.until) return short.why
      if (waiting >= mostWaiting || stopping) return "crowded"
      waiting += 1
      metered.wanted += cost
      // Calls of this turn are lent their units together.
      await (metered.pending ?? run(metered, () => fill(metered, cost)))
      metered.wanted -= cost
      waiting -= 1
    }
  }

  function run(metered: Metered, work: () => Promise<void>): Promise<void> {
    const pending = work().finally(() => {
      metered.pending = undefined
    })
    metered.pending = pending
    return pending
  }

  /** Takes a slice that covers the cost, or notes why there is none. */
  async function fill(metered: Metered, cost: number): Promise<void> {
    const { account } = metered
    const { grantId } = account
    const patientUntil = performance.now() + patienceMilliseconds
    retireSlice(account)
    try {
      for (;;) {
        const reports = reportOf(account)
        const taken = await store.takeUnits({
          ...{ grantId, holder: options.holder, cost, reports, now: now() },
          wanted: Math.max(cost, metered.wanted),
        })
        noteReported(account, reports)
        account.quota = taken.given
        account.rest = taken.left + taken.elsewhere
        if (taken.slice) {
          holdSlice(account, taken.slice, now())
          return
        }
        // Living gates return unused units; nobody waits for those of a crashed one.
        const isPatient = performance.now() < patientUntil && !stopping
        if (taken.left + taken.elsewhere < cost || !isPatient) break
        await sleep(askAgainMilliseconds)
      }
      metered.short = { cost, until: now() + shortSeconds, why: "exhausted" }
    } catch (error) {
      log.warn({ err: error, grant: grantId }, "units could not be taken")
      metered.short = { cost: 0, until: now() + shortSeconds, why: "unavailable" }
    }
  }

  /** A failure is repeated by the next sweep: reports are totals, so nothing is lost and nothing counts twice. */
  async function sendReports(account: Account): Promise<void> {
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
    for (const [grantId, metered] of grants) {
      const { account, pending, short } = metered
      if (pending !== undefined) continue
      retireOldSlice(account, at)
      if (reportOf(account).length > 0) void run(metered, () => sendReports(account))
      else if (account.heldSlices.length === 0 && !(short && at < short.until)) grants.delete(grantId)
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
      for (const { account, pending } of grants.values()) {
        await pending
        closeAccount(account)
        await sendReports(account)
      }
    },
  }
}
