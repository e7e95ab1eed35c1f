/** Units: what a grant that ends with its use has left, lent to gates in slices so that nothing is spent twice. */

/** Sold, and what became of it: `given` is always `left + held + spent`. */
export type Meter = {
  /** Sold with the grant, and added to it since. */
  readonly given: number
  /** What a gate may take. */
  readonly left: number
  /** Taken by gates that have not yet said what became of it. */
  readonly held: number
  readonly spent: number
}

/** What one gate took at once. */
export type Slice = {
  readonly id: number
  readonly grantId: string
  /** The process that took it. */
  readonly holder: string
  readonly units: number
  /** Of `units`, as far as the gate has said. */
  readonly spent: number
  readonly unused: number
  readonly takenAt: number
}

/** What a gate says of a slice: totals since it was taken, so that a report that arrives twice changes nothing. */
export type SliceReport = { readonly sliceId: number; readonly spent: number; readonly unused: number }

/** Every count of units fits a safe integer with room to add. */
export const mostUnits = 1_000_000_000_000
/** More would only be more to lose with a gate that crashes. */
export const largestSlice = 16
/** Several gates that share the last units take them one by one, so that few wait where nobody asks. */
const sharesOfRest = 4

export const openMeter = (units: number | null): Meter | null =>
  units === null ? null : { given: units, left: units, held: 0, spent: 0 }

/** What is left, and what gates may bring back. */
export const remaining = ({ left, held }: Meter): number => left + held

/** Nothing is left, and no gate may bring anything back. */
export const isUsedUp = (meter: Meter | null): boolean => meter !== null && remaining(meter) === 0

/** How many units a gate gets that needs `cost` of them now; 0 when there are not so many. */
export function sliceSize(left: number, cost: number): number {
  if (left < cost) return 0
  return Math.max(cost, 1, Math.min(largestSlice, Math.floor(left / sharesOfRest)))
}

/** What counts against a call: a derived grant draws on its parent, too. */
export type Draw = {
  readonly meter: Meter
  /** In slices of other processes that are not late. */
  readonly elsewhere: number
}

/** What all of them allow: never more than the least. */
export function allowance(draws: readonly Draw[]): { readonly left: number; readonly elsewhere: number } {
  const left = Math.min(...draws.map(({ meter }) => meter.left))
  return { left, elsewhere: Math.min(...draws.map(({ meter, elsewhere }) => meter.left + elsewhere)) - left }
}

export const take = (meter: Meter, units: number): Meter => ({
  ...meter,
  left: meter.left - units,
  held: meter.held + units,
})

/** What was not told before. Throws for more than was taken, and for less than was said before. */
export function report(meter: Meter, slice: Slice, { spent, unused }: SliceReport): Meter {
  const isSound = spent >= slice.spent && unused >= slice.unused && spent + unused <= slice.units
  if (!isSound) throw new Error(`a report on slice ${slice.id} does not fit what was taken`)
  const more = { spent: spent - slice.spent, unused: unused - slice.unused }
  return {
    ...meter,
    left: meter.left + more.unused,
    held: meter.held - more.spent - more.unused,
    spent: meter.spent + more.spent,
  }
}

export const noted = (slice: Slice, { spent, unused }: SliceReport): Slice => ({ ...slice, spent, unused })

/** What a slice still owes a word about. */
export const openUnits = ({ units, spent, unused }: Pick<Slice, "units" | "spent" | "unused">): number =>
  units - spent - unused

export const give = (meter: Meter, units: number): Meter => ({
  ...meter,
  given: meter.given + units,
  left: meter.left + units,
})

/** A gate reports every slice sooner, or it has crashed: nobody waits for an older one. */
export const sliceSeconds = 3
const lateSeconds = 2
/** Slices taken since then may still come back. */
export const comingBackSince = (now: number): number => now - sliceSeconds - lateSeconds
