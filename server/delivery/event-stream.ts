/** Streams entries of the ledger as server-sent events: each once, in order, over any number of connections. */
import type { LedgerEntry } from "../core/ledger-facts.ts"
import { type LedgerFilter, placeText } from "../core/ledger-filter.ts"
import { entryView } from "./entry-view.ts"
import { type LedgerStore, readPage } from "./ledger-reader.ts"
import type { LedgerTail } from "./ledger-tail.ts"

export type StreamRequest = {
  readonly filter: LedgerFilter
  /** The place to read on after. */
  readonly start: StreamStart
  /** Aborts when the reader has gone. */
  readonly signal: AbortSignal
  /** Asked at least every {@link heartbeatMilliseconds}: the stream ends when the right to read it does. */
  readonly isAllowed: () => boolean
}

export type StreamStart = {
  readonly after: number
  /** The reader's place is not in these books: what it has folded together is to be dropped. */
  readonly isAnew: boolean
}

/** Shorter than the patience of proxies, and than the bound on the end of a token. */
const heartbeatMilliseconds = 10_000
const pageSize = 500
const reconnectMilliseconds = 1000

/** Yields text; a reader that does not take it is not read for. */
export async function* eventsOf(
  { store, tail }: { readonly store: LedgerStore; readonly tail: LedgerTail },
  { filter, start, signal, isAllowed }: StreamRequest,
): AsyncGenerator<string> {
  const { generation } = await store.newest()
  // The place comes first: a connection that breaks before the first event is resumed here.
  yield `retry: ${reconnectMilliseconds}\nid: ${placeText({ generation, sequence: start.after })}\n\n`
  if (start.isAnew) yield "event: anew\ndata: {}\n\n"
  let last = start.after
  while (!signal.aborted && !tail.stopped.aborted && isAllowed()) {
    const page = await readPage(store, filter, { after: last, limit: pageSize })
    ;({ last } = page)
    if (page.found.length > 0) yield page.found.map((entry) => frameOf(page.generation, entry)).join("")
    if (!page.isEnd) continue
    const late = AbortSignal.timeout(heartbeatMilliseconds)
    await tail.grown(last, AbortSignal.any([signal, late]))
    // With its place, so that entries which the filter leaves out are not looked through again.
    if (late.aborted) yield `id: ${placeText({ generation: page.generation, sequence: last })}\n: alive\n\n`
  }
}

const frameOf = (generation: string, entry: LedgerEntry): string =>
  `id: ${placeText({ generation, sequence: entry.sequence })}\nevent: ${entry.kind}\ndata: ${JSON.stringify(entryView(entry))}\n\n`
