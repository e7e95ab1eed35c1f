/** The one table of the chaos harness: what was done to the service, how often, and what went wrong. */

/** Of one fault; every figure but `tries` must be 0. */
export type Row = {
  readonly fault: string
  readonly tries: number
  /** The service said what the chain does not bear out, or a promise of its books is broken. */
  readonly wrongVerdicts: number
  /** Payments that had not come to an end when the world had been well again for long. */
  readonly stuckJobs: number
  /** Transfers, grants or nonces beyond the one that each payment is due. */
  readonly doubleEffects: number
  /** Atomic units between what the ledger calls settled and what arrived. */
  readonly moneyDifference: bigint
  /** One line for each thing that is wrong. */
  readonly wrong: readonly string[]
  /** What else was measured. */
  readonly note?: string
}

/** A kind of thing that can be wrong with one payment. */
export type Kind = "wrongVerdicts" | "stuckJobs" | "doubleEffects"

export type Flaw = { readonly kind: Kind; readonly line: string }

/** Collects what is found out about one fault. */
export type Tally = {
  tried(count?: number): void
  flaw(flaw: Flaw): void
  /** Atomic units that should be 0. */
  difference(units: bigint): void
  note(text: string): void
  row(): Row
}

export function createTally(fault: string): Tally {
  const wrong: string[] = []
  const counts = { wrongVerdicts: 0, stuckJobs: 0, doubleEffects: 0 }
  let tries = 0
  let moneyDifference = 0n
  let note: string | undefined
  return {
    tried(count = 1) {
      tries += count
    },
    flaw({ kind, line }) {
      counts[kind] += 1
      wrong.push(`${fault}: ${line}`)
    },
    difference(units) {
      if (units === 0n) return
      moneyDifference += units < 0n ? -units : units
      wrong.push(`${fault}: ${units} atomic units between the ledger and the chain`)
    },
    note(text) {
      note = text
    },
    row: () => ({ fault, tries, ...counts, moneyDifference, wrong, ...(note !== undefined && { note }) }),
  }
}

const columns = ["tries", "wrong verdicts", "stuck jobs", "double effects", "money difference"] as const

const figuresOf = (row: Row): readonly (number | bigint)[] => [
  row.tries,
  row.wrongVerdicts,
  row.stuckJobs,
  row.doubleEffects,
  row.moneyDifference,
]

/** Whether a fault was tried at all, and nothing went wrong. */
export const isGood = (row: Row): boolean => row.tries > 0 && row.wrong.length === 0

export function render(rows: readonly Row[]): string {
  const width = Math.max(5, ...rows.map(({ fault }) => fault.length))
  const line = (name: string, cells: readonly (string | number | bigint)[]) =>
    `${name.padEnd(width)}${cells.map((cell, at) => String(cell).padStart((columns[at]?.length ?? 0) + 3)).join("")}`
  const sum = rows.reduce<readonly (number | bigint)[]>(
    (total, row) => figuresOf(row).map((figure, at) => add(figure, total[at] ?? 0)),
    [0, 0, 0, 0, 0n],
  )
  return [
    line("fault", columns),
    ...rows.map((row) => line(row.fault, figuresOf(row))),
    line("sum", sum),
  ].join("\n")
}

const add = (a: number | bigint, b: number | bigint): number | bigint =>
  typeof a === "bigint" || typeof b === "bigint" ? BigInt(a) + BigInt(b) : a + b
