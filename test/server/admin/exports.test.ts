import { afterAll, beforeAll, expect, it } from "vitest"
import { csv, exported, jsonLines } from "../../../server/admin/exports.ts"
import { rangeSize, readAll } from "../../../server/delivery/ledger-reader.ts"
import type { Store } from "../../../server/ports/store.ts"
import { openStore } from "../../../server/stores/index.ts"
import { orderOf } from "../../support/orders.ts"

let store: Store
beforeAll(async () => {
  store = await openStore("memory:")
  for (let count = 0; count < 3; count++) await store.redeem(orderOf())
})
afterAll(() => store.close())

/** Books of so many entries that three are stored again and again, and a count of the pages that were read. */
function longBooks(entries: number) {
  const read: number[] = []
  const ledger: Store["ledger"] = async ({ after, until }) => {
    read.push(after)
    const [entry] = await store.ledger({ filter: {}, after: 0, until: 1, limit: 1 })
    return Array.from({ length: until - after }, (_, at) => ({ ...entry!, sequence: after + at + 1 }))
  }
  const newest = async () => ({ generation: "a".repeat(32), sequence: entries })
  return { read, store: { ...store, ledger, newest } }
}

it("an export of any size holds one page: the next is read when the reader has taken the last", async () => {
  for (const format of [csv, jsonLines]) {
    const books = longBooks(100_000)
    const reader = exported(readAll(books.store, {}, 0), format).body?.getReader()
    if (format.head !== "") await reader?.read()
    expect(books.read).toHaveLength(0)
    for (let pages = 1; pages <= 5; pages++) {
      await reader?.read()
      expect(books.read).toHaveLength(pages)
    }
    expect(books.read).toEqual([0, 1, 2, 3, 4].map((page) => page * rangeSize))
    await reader?.cancel()
  }
})

it("an export has every entry once, up to the newest at its start", async () => {
  const books = longBooks(10_000)
  const text = await exported(readAll(books.store, {}, 0), jsonLines).text()
  const sequences = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).sequence as number)
  expect(sequences).toEqual(Array.from({ length: 10_000 }, (_, at) => at + 1))
})
