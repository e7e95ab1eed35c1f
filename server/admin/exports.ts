/** Streams the ledger as CSV or JSON Lines, a page at a time: the next one is read when the reader has taken the last. */
import { ReadableStream } from "node:stream/web"
import { stringify } from "csv-stringify/sync"
import type { LedgerEntry } from "../core/ledger-facts.ts"
import { entryView } from "../delivery/entry-view.ts"
import { noStore } from "../http/respond.ts"

export type ExportFormat = {
  readonly type: string
  readonly name: string
  readonly head: string
  readonly lines: (entries: readonly LedgerEntry[]) => string
}

/** Facts with columns of their own; the column `facts` has all of them. */
const factColumns = ["network", "asset", "payer", "offer", "value", "transaction", "block", "note"] as const
const columns = ["sequence", "at", "kind", "grant", "payment", ...factColumns, "facts"]

export const csv: ExportFormat = {
  type: "text/csv; charset=utf-8",
  name: "ledger.csv",
  head: `${columns.join(",")}\r\n`,
  lines: (entries) =>
    stringify(entries.map(recordOf), {
      columns,
      record_delimiter: "windows",
      // A note that begins with an equals sign is a formula to a spreadsheet.
      escape_formulas: true,
    }),
}

export const jsonLines: ExportFormat = {
  type: "application/jsonl",
  name: "ledger.jsonl",
  head: "",
  lines: (entries) => entries.map((entry) => `${JSON.stringify(entryView(entry))}\n`).join(""),
}

function recordOf(entry: LedgerEntry): Record<string, unknown> {
  const { facts, ...view } = entryView(entry)
  const known: Readonly<Record<string, string | undefined>> = facts
  const flat = Object.fromEntries(factColumns.map((name) => [name, known[name]]))
  return { ...view, ...flat, facts: JSON.stringify(facts) }
}

/** Without a length: a stream that breaks off is seen to be incomplete. */
export function exported(
  pages: AsyncIterable<readonly LedgerEntry[]>,
  { type, name, head, lines }: ExportFormat,
): Response {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    const encoder = new TextEncoder()
    if (head !== "") yield encoder.encode(head)
    for await (const entries of pages) if (entries.length > 0) yield encoder.encode(lines(entries))
  }
  return new Response(ReadableStream.from(bytes()) as BodyInit, {
    headers: { ...noStore, "content-type": type, "content-disposition": `attachment; filename="${name}"` },
  })
}
