import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import { expect, it } from "vitest"
import { openSqliteStore } from "../../../server/stores/sqlite/store.ts"

it("KEY-12: hostile ids are only looked up; the schema stays unchanged", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "hostile-")), "ticket402.db")
  const store = await openSqliteStore({ file })
  const tables = () => {
    const db = new Database(file, { readonly: true })
    const names = db.prepare("select name, sql from sqlite_schema order by name").all()
    db.close()
    return names
  }
  const before = tables()
  const quotes = ["'", '"', "`", "';", "\u0000'", "\\'", "')", "%27", "\u02bc", "1 or 1=1"]
  const suffixes = [
    "",
    " or 1=1 --",
    "; drop table redemptions --",
    " union select * from grants",
    "/*",
    "|| 'x'",
  ]
  for (const quote of quotes)
    for (const rest of suffixes)
      for (const key of [quote + rest, `eip155:1${quote}${rest}`, rest + quote]) {
        expect(await store.recall({ key })).toBeNull()
        const rotated = store.rotate({
          grantId: key,
          generation: 0,
          opening: null,
          tokenId: key,
          lives: { full: 300, pending: 60 },
          now: 1,
        } as never)
        // The store may answer null or throw; only side effects matter here.
        await rotated.catch(() => undefined)
      }
  expect(tables()).toEqual(before)
  await store.close()
})
