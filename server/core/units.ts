/** Counts the units of a grant, and lends them to gates in slices, so that no unit is spent twice. */

/** The sold units and their use: `given` is always `left + held + spent`. */
export type Meter = {
  /** Sold with the grant, and added to it since. */
  readonly given: number
  /**
   * Units that gates may take. It is negative when a payment was withdrawn while gates held its units; returned units fill
   * the gap first. It is never below the negative of the held units.
   */
  readonly left: number
  /** Units of gates that have not reported their use yet. */
  readonly held: number
  readonly spent: number
}

/** The units that one gate took at once. */
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

/** The report of a gate on a slice: totals since it was taken, so that a repeated report changes nothing. */
export type SliceReport = { readonly sliceId: number; readonly spent: number; readonly unused: number }

/** Every count of units fits a safe integer with room to add. */
export const mostUnits = 1_000_000_000_000
/** For a gate alone. More would only be more to lose when it crashes. */
export const largestSlice = 16
/** Slices shrink to the rest divided by this, so that few of the last units lie idle at a gate without requests. */
const sharesOfRest = 4
/** Of a large grant a slice is a hundredth of the rest, up to this: each slice costs a call of the store. */
const largestOfMany = 1000

export const openMeter = (units: number | null): Meter | null =>
  units === null ? null : { given: units, left: units, held: 0, spent: 0 }

/** Returns the units left, with those that gates may return. */
export const remaining = ({ left, held }: Meter): number => left + held

/** Of units spent before their payment was taken back nothing is owed: no gate can bring them back. */
function writtenOff(meter: Meter): Meter {
  const lost = Math.max(0, -remaining(meter))
  return { ...meter, given: meter.given + lost, left: meter.left + lost }
}

/** Nothing is left, and no gate may bring anything back. */
export const isUsedUp = (meter: Meter | null): boolean => meter !== null && remaining(meter) === 0

/** The units that a gate asks for: `cost` for its first waiting call, `wanted` for all of them. */
export type Demand = { readonly cost: number; readonly wanted: number }

/**
 * How many units a gate gets; 0 when there are too few for its first call. A gate alone gets some in advance. Beside other
 * gates it gets those that its calls need now: nothing lies idle at one of them, or is lost when it crashes.
 */
export function sliceSize(left: number, { cost, wanted }: Demand, isAlone: boolean): number {
  if (left < cost) return 0
  if (!isAlone) return Math.max(cost, 1, Math.min(wanted, left))
  const fewOfMany = Math.min(largestOfMany, Math.floor(left / 100))
  return Math.max(cost, 1, Math.min(largestSlice, Math.floor(left / sharesOfRest)), fewOfMany)
}

/** A meter that a call draws on; a derived grant draws on its parent, too. */
export type Draw = {
  readonly meter: Meter
  /** In slices of other processes that are not late. */
  readonly elsewhere: number
}

/** Returns the units that all meters allow: the least of them. */
export function allowance(draws: readonly Draw[]): { readonly left: number; readonly elsewhere: number } {
  const left = Math.max(0, Math.min(...draws.map(({ meter }) => meter.left)))
  const all = Math.min(...draws.map(({ meter, elsewhere }) => meter.left + elsewhere))
  return { left, elsewhere: Math.max(0, all - left) }
}

export const take = (meter: Meter, units: number): Meter => ({
  ...meter,
  left: meter.left - units,
  held: meter.held + units,
})

/** Applies the new part of a report. Throws for more units than were taken, and for fewer than reported before. */
export function report(meter: Meter, slice: Slice, { spent, unused }: SliceReport): Meter {
  const isSound = spent >= slice.spent && unused >= slice.unused && spent + unused <= slice.units
  if (!isSound) throw new Error(`a report on slice ${slice.id} does not fit what was taken`)
  const more = { spent: spent - slice.spent, unused: unused - slice.unused }
  return writtenOff({
    ...meter,
    left: meter.left + more.unused,
    held: meter.held - more.spent - more.unused,
    spent: meter.spent + more.spent,
  })
}

export const noted = (slice: Slice, { spent, unused }: SliceReport): Slice => ({ ...slice, spent, unused })

/** Returns the units of a slice without a report. */
export const openUnits = ({ units, spent, unused }: Pick<Slice, "units" | "spent" | "unused">): number =>
  units - spent - unused

export const give = (meter: Meter, units: number): Meter => ({
  ...meter,
  given: meter.given + units,
  left: meter.left + units,
})

/** With what gates hold counted as spent: units of one offer must not come back as those of another. */
export const settledMeter = ({ given, left, held, spent }: Meter): Meter =>
  writtenOff({ given, left, held: 0, spent: spent + held })

/** Without units that were given; "spent" when they are spent already. */
export function without(meter: Meter, units: number): Meter | "spent" {
  const after = { ...meter, left: meter.left - units, given: meter.given - units }
  return remaining(after) < 0 ? "spent" : after
}

/** A gate reports every slice sooner, unless it has crashed: no call waits for an older slice. */
export const sliceSeconds = 3
const lateSeconds = 2
/** Slices taken since then may still come back. */
export const comingBackSince = (now: number): number => now - sliceSeconds - lateSeconds
