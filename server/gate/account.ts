/** Keeps count of the units of one grant that this process holds, in slices taken from the store. */
import { type SliceReport, sliceSeconds } from "../core/units.ts"

/** The cost of a call that passed. */
export type Charge = {
  /** All units that were ever given to the grant. */
  readonly quota: number
  /** The units of the grant after this call, as far as this process knows. */
  readonly remaining: number
  readonly cost: number
  /** Ends the call once: a call that the service failed to answer costs nothing. */
  settle(outcome: "kept" | "returned"): void
}

/** A slice as this process holds it. Units that are neither available, spent nor unused belong to calls under way. */
type HeldSlice = {
  readonly id: number
  readonly units: number
  readonly takenAt: number
  available: number
  spent: number
  unused: number
  /** The totals that the store knows. */
  reported: { readonly spent: number; readonly unused: number }
}

export type Account = {
  readonly grantId: string
  /** Calls spend from the newest; the others wait for calls under way. */
  heldSlices: HeldSlice[]
  current: HeldSlice | undefined
  /** All units that were ever given to the grant. */
  quota: number
  /** The units outside this process. */
  rest: number
  /** The final report is out: nothing may change it. */
  isClosed: boolean
}

export const openAccount = (grantId: string): Account => ({
  grantId,
  heldSlices: [],
  current: undefined,
  quota: 0,
  rest: 0,
  isClosed: false,
})

export function holdSlice(
  account: Account,
  slice: { readonly id: number; readonly units: number },
  now: number,
): void {
  const { id, units } = slice
  const reported = { spent: 0, unused: 0 }
  const held = { id, units, takenAt: now, available: units, spent: 0, unused: 0, reported }
  account.heldSlices.push(held)
  account.current = held
}

/** Undefined when the present slice has too few units. */
export function chargeCall(account: Account, cost: number, onReturned: () => void): Charge | undefined {
  const held = account.current
  if (!held || held.available < cost) return undefined
  held.available -= cost
  let settled = false
  return {
    quota: account.quota,
    remaining: account.rest + held.available,
    cost,
    settle(outcome) {
      if (settled || account.isClosed) return
      settled = true
      if (outcome === "kept") {
        held.spent += cost
        return
      }
      if (held === account.current) held.available += cost
      else held.unused += cost
      onReturned()
    },
  }
}

/** Spends nothing more from the present slice. */
export function retireSlice(account: Account): void {
  const { current } = account
  if (!current) return
  current.unused += current.available
  current.available = 0
  account.current = undefined
}

/** Retires a slice that is used up, or old: other gates may wait for its units. */
export function retireOldSlice(account: Account, now: number): void {
  const { current } = account
  if (current && (now >= current.takenAt + sliceSeconds || current.spent === current.units))
    retireSlice(account)
}

/** Calls under way count as used. */
export function closeAccount(account: Account): void {
  account.isClosed = true
  retireSlice(account)
  for (const held of account.heldSlices) held.spent = held.units - held.unused
}

/** The totals that the store does not know yet. A slice that calls still spend from is not reported. */
export const reportOf = ({ heldSlices, current }: Account): readonly SliceReport[] =>
  heldSlices
    .filter(
      (held) =>
        held !== current && (held.spent !== held.reported.spent || held.unused !== held.reported.unused),
    )
    .map(({ id, spent, unused }) => ({ sliceId: id, spent, unused }))

/** Forgets slices that are reported in full. */
export function noteReported(account: Account, reports: readonly SliceReport[]): void {
  for (const { sliceId, spent, unused } of reports) {
    const held = account.heldSlices.find(({ id }) => id === sliceId)
    if (held) held.reported = { spent, unused }
  }
  account.heldSlices = account.heldSlices.filter(
    ({ units, reported }) => reported.spent + reported.unused < units,
  )
}
