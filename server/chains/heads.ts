/** Remembers how far a network has come, so that a node that lags behind is not believed (SET-28). */

export type HeadOptions = {
  /** Milliseconds of a monotonic clock. */
  readonly clock: () => number
  /** How far behind an answer may be: nodes hear of a block one after the other. */
  readonly blocks?: bigint
  /** How long nodes must report nothing newer before a lower head is believed: a reorg that deep is rare. */
  readonly believeAfterMs?: number
}

export type Heads = {
  /** Whether an answer given at this block is new enough to be believed. */
  isCurrent(block: bigint): boolean
}

export function createHeads({ clock, blocks = 2n, believeAfterMs = 30_000 }: HeadOptions): Heads {
  let newest = 0n
  /** When the first answer came that was too old, if none was new enough since. */
  let olderSince: number | undefined

  return {
    isCurrent(block) {
      if (block + blocks < newest) {
        olderSince ??= clock()
        if (clock() - olderSince < believeAfterMs) return false
        // A reorg that shortened the chain, or a lie about the newest block, must not shut the service for ever.
        newest = block
      }
      if (block > newest) newest = block
      olderSince = undefined
      return true
    },
  }
}
