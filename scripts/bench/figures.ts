/** Turns measurements into medians with their spread, so that noise is not mistaken for a result. */

export type Spread = { readonly median: number; readonly least: number; readonly most: number }

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: percentile(sorted, 0.5), least: sorted.at(0) ?? 0, most: sorted.at(-1) ?? 0 }
}

/** Returns the nearest rank of values in ascending order. */
export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0

export const showSpread = ({ median, least, most }: Spread, digits = 2): string =>
  `${median.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`

/** Runs the work, and returns its result with the CPU time that all threads of this process took meanwhile, in µs. */
export async function withCpu<T>(work: () => Promise<T>): Promise<{ result: T; cpu: number }> {
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { result, cpu: user + system }
}
