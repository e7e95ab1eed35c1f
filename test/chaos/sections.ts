/** The sections of the chaos harness, by the name that `--only` takes. */
import { everyCall } from "./at-every-call.ts"
import { cheatingPayers } from "./cheating-payers.ts"
import { diskFull } from "./disk.ts"
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
  disk: ({ quick, onProgress }) => diskFull({ pages: quick ? 2 : 16, onProgress }),
}
