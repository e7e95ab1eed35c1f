/** The table of the chaos harness: each fault, how often it was tried, and what went wrong. */

/** The row of one fault; every figure but `tries` must be 0. */
export type Row = {
  readonly fault: string
  readonly tries: number
  /** Answers of the service that the chain contradicts, and broken invariants of its books. */
  readonly wrongVerdicts: number
  /** Payments without a final state long after the last fault. */
  readonly stuckJobs: number
  /** Transfers, grants or nonces beyond the one that each payment is due. */
  readonly doubleEffects: number
  /** Atomic units between the sum that the ledger calls settled and the sum that arrived. */
  readonly moneyDifference: bigint
  /** One line for each flaw. */
  readonly wrong: readonly string[]
  /** Another measured figure. */
  readonly note?: string
}

/** The kinds of flaw of a payment. */
export type Kind = "wrongVerdicts" | "stuckJobs" | "doubleEffects"

export type Flaw = { readonly kind: Kind; readonly line: string }

/** Collects the flaws under one fault. */
export type Tally = {
  tried(count?: number): void
  flaw(flaw: Flaw): void
  /** Adds atomic units that should be 0. */
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

/** True if the fault was tried at all and nothing went wrong. */
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
