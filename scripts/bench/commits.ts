/** Measures group commit: durable redemptions one by one and many at once, in turn. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Store } from "../../server/ports/store.ts"
import { openStore } from "../../server/stores/index.ts"
import { orderOf } from "../../test/support/orders.ts"
import { type Spread, showSpread, spreadOf, withCpu } from "./figures.ts"

export type CommitFigures = {
  /** Grouped over single rates, one for each pair of slices. */
  readonly ratio: Spread
  readonly singlePerSecond: Spread
  readonly groupedPerSecond: Spread
  /** In µs. */
  readonly groupedCpuEach: Spread
  readonly group: number
}

const pairs = 5
const group = 64

export async function measureCommits(seconds: number): Promise<CommitFigures> {
  const folder = await mkdtemp(join(tmpdir(), "ticket402-bench-"))
  const store = await openStore(`sqlite:${join(folder, "commits.db")}`)
  const slice = async (together: number): Promise<Slice> => {
    const startedAt = performance.now()
    let redeemed = 0
    let elapsed = 0
    const { cpu } = await withCpu(async () => {
      while (elapsed < (seconds / 4) * 1000) {
        await Promise.all(Array.from({ length: together }, () => redeem(store)))
        redeemed += together
        elapsed = performance.now() - startedAt
      }
    })
    return { perSecond: (redeemed * 1000) / elapsed, cpuEach: cpu / redeemed }
  }
  try {
    const single: Slice[] = []
    const grouped: Slice[] = []
    await slice(group)
    for (let pair = 0; pair < pairs; pair++) {
      single.push(await slice(1))
      grouped.push(await slice(group))
    }
    return {
      ratio: spreadOf(grouped.map(({ perSecond }, at) => perSecond / (single[at]?.perSecond ?? Number.NaN))),
      singlePerSecond: spreadOf(single.map(({ perSecond }) => perSecond)),
      groupedPerSecond: spreadOf(grouped.map(({ perSecond }) => perSecond)),
      groupedCpuEach: spreadOf(grouped.map(({ cpuEach }) => cpuEach)),
      group,
    }
  } finally {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** A slice, and the CPU time of each of its redemptions in µs, over all threads. */
type Slice = { readonly perSecond: number; readonly cpuEach: number }

async function redeem(store: Store): Promise<void> {
  const { kind } = await store.redeem(orderOf({ limits: { queue: 10 ** 9 } }))
  if (kind !== "redeemed") throw new Error(`found ${kind}, wanted redeemed`)
}

export const showCommits = (figures: CommitFigures): string[] => [
  `Commits: ${showSpread(figures.ratio, 1)} times as many durable redemptions in groups of ${figures.group} as one by one`,
  `  one by one    ${showSpread(figures.singlePerSecond, 0)} per s`,
  `  in groups     ${showSpread(figures.groupedPerSecond, 0)} per s, ${showSpread(figures.groupedCpuEach, 0)} µs of CPU each`,
]
