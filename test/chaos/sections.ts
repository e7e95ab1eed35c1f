/** The sections of the chaos harness, by the name that `--only` takes. */

import { startPostgres } from "../support/postgres/server.ts"
import { everyCall } from "./at-every-call.ts"
import { cheatingPayers } from "./cheating-payers.ts"
import { diskFull } from "./disk.ts"
import { openFastChain } from "./fast-chain.ts"
import { type InstanceCounts, manyInstances } from "./instances.ts"
import { killEverywhere } from "./kills.ts"
import { underLoad } from "./load.ts"
import type { Row } from "./table.ts"
import { underBlocks } from "./under-blocks.ts"

export type SectionOptions = {
  /** Runs a few faults of each kind only. */
  readonly quick: boolean
  /** Number of kills at random moments, beside one at each named step. */
  readonly kills: number
  readonly seed: number
  readonly onProgress: (done: number, all: number) => void
}

type Section = (options: SectionOptions) => Promise<readonly Row[]>

export const sections: Readonly<Record<string, Section>> = {
  proxy: ({ quick, onProgress }) => everyCall({ every: quick ? 40 : 1, onProgress }),
  chain: ({ quick, onProgress }) => underBlocks({ every: quick ? 7 : 1, onProgress }),
  kill: async ({ quick, kills, seed, onProgress }) =>
    (await killEverywhere({ kills: quick ? 0 : kills, seed, onProgress })).rows,
  load: ({ quick, seed, onProgress }) => underLoad({ redemptions: quick ? 100 : 2000, seed, onProgress }),
  cheats: ({ quick, onProgress }) => cheatingPayers({ methods: quick ? 1 : 4, onProgress }),
  instances: ({ quick }) => onPostgres(quick ? fewInstances : fourInstances),
  disk: ({ quick, onProgress }) => diskFull({ pages: quick ? 2 : 16, onProgress }),
}

const fewInstances: InstanceCounts = { instances: 3, sales: 6, posts: 40, calls: 150 }
const fourInstances: InstanceCounts = { instances: 4, sales: 40, posts: 400, calls: 1000 }

async function onPostgres(counts: InstanceCounts): Promise<readonly Row[]> {
  const [fastChain, server] = await Promise.all([openFastChain({ speed: 1 }), startPostgres()])
  try {
    return await manyInstances(fastChain.chain, server.url(), counts)
  } finally {
    await Promise.all([fastChain.close(), server.stop()])
  }
}
