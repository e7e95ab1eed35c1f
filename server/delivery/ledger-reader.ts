/** Reads the ledger in ranges of bounded size, so that no reader keeps a sale waiting. */
import type { LedgerEntry } from "../core/ledger-facts.ts"
import type { LedgerFilter } from "../core/ledger-filter.ts"
import type { Store } from "../ports/store.ts"

/** Sequences that the store looks through at once. */
export const rangeSize = 4096

export type LedgerStore = Pick<Store, "newest" | "firstSince" | "ledger">

/** Sequences after the first, up to the second. */
type Range = { readonly after: number; readonly until: number }

export type Page<T> = {
  /** Of the books that the page was read from. */
  readonly generation: string
  readonly found: readonly T[]
  /** The sequence to read on after. */
  readonly last: number
  /** False when rows beyond `last` may match. */
  readonly isEnd: boolean
}

/** Reads up to `limit` entries that match, oldest first, after a sequence. */
export const readPage = (
  store: LedgerStore,
  filter: LedgerFilter,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<Page<LedgerEntry>> =>
  collect(store, filter, { after, limit }, (range) => store.ledger({ filter, ...range }))

/** Collects rows of the ledger range by range, until there are enough or the newest entry is reached. */
export async function collect<T extends { readonly sequence: number }>(
  store: Pick<Store, "newest" | "firstSince">,
  filter: LedgerFilter,
  { after, limit }: { readonly after: number; readonly limit: number },
  read: (range: Range & { readonly limit: number }) => Promise<readonly T[]>,
): Promise<Page<T>> {
  const { generation, sequence: newest } = await store.newest()
  const found: T[] = []
  let last = await startOf(store, filter, after, newest)
  while (last < newest && found.length < limit) {
    const until = Math.min(last + rangeSize, newest)
    const wanted = limit - found.length
    const rows = await read({ after: last, until, limit: wanted })
    found.push(...rows)
    last = rows.length < wanted ? until : (rows.at(-1)?.sequence ?? until)
  }
  return { generation, found, last, isEnd: last >= newest }
}

/** Yields every entry that matches, up to the newest at the start, in pages. */
export async function* readAll(
  store: LedgerStore,
  filter: LedgerFilter,
  after: number,
): AsyncGenerator<readonly LedgerEntry[]> {
  for await (const { after: from, until } of rangesOf(store, filter, after))
    yield await store.ledger({ filter, after: from, until, limit: rangeSize })
}

/** The ranges in which a filter can match, up to the newest entry of this moment. */
export async function* rangesOf(
  store: Pick<Store, "newest" | "firstSince">,
  filter: LedgerFilter,
  after: number,
): AsyncGenerator<Range> {
  const { sequence: newest } = await store.newest()
  for (let from = await startOf(store, filter, after, newest); from < newest; from += rangeSize)
    yield { after: from, until: Math.min(from + rangeSize, newest) }
}

/** Skips what lies before the period of the filter. */
async function startOf(
  store: Pick<Store, "firstSince">,
  { from }: LedgerFilter,
  after: number,
  newest: number,
): Promise<number> {
  if (from === undefined) return after
  const first = await store.firstSince({ from })
  return first === null ? newest : Math.max(after, first - 1)
}
