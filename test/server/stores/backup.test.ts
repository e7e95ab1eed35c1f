/** Backups of a SQLite file that a store writes to, by the command. */
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { auditBooks } from "../../../server/books/audit.ts"
import { backup } from "../../../server/commands/backup.ts"
import type { ConfigInput } from "../../../server/config/config.ts"
import type { Store } from "../../../server/ports/store.ts"
import { openStore } from "../../../server/stores/index.ts"
import { configInput, storedIn } from "../../support/offers.ts"
import { orderOf } from "../../support/orders.ts"

let folder: string
let store: Store
let target: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "backup-"))
  target = join(folder, "copy.db")
  store = await openStore(storedIn(folder).database)
})
afterEach(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

async function run(changes: Partial<ConfigInput> = {}) {
  const config = join(folder, "config.json")
  await writeFile(config, JSON.stringify(configInput({ ...storedIn(folder), ...changes })))
  const [lines, warnings]: string[][] = [[], []]
  const code = await backup(
    { config, file: target },
    { environment: {}, print: (line) => lines?.push(line), warn: (line) => warnings?.push(line) },
  )
  return { code, said: lines?.map((line) => JSON.parse(line)), warnings: warnings?.join("\n") }
}

describe("a backup", () => {
  it("KEY-09: holds every sale that was answered before it, under writes of the service", async () => {
    const before = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const order = orderOf()
        await store.redeem(order)
        return order.key
      }),
    )
    let writing = true
    const load = (async () => {
      while (writing) await store.redeem(orderOf())
    })()
    expect(await run()).toEqual({
      code: 0,
      said: [
        {
          backup: target,
          keys: "not included",
          alsoKeep: [join(folder, "keys"), join(folder, "relayer.key")],
        },
      ],
      warnings: "",
    })
    writing = false
    await load
    expect((await stat(target)).mode & 0o777).toBe(0o600)
    expect((await readdir(folder)).filter((name) => name.startsWith("copy.db"))).toEqual(["copy.db"])
    const copy = await openStore(`sqlite:${target}`)
    // Orders of tests have keys by chance, which I1 reports in the original, too.
    expect((await auditBooks(copy)).filter(({ invariant }) => invariant !== "I1")).toEqual([])
    for (const key of before) expect(await copy.recall({ key })).toEqual(await store.recall({ key }))
    await copy.close()
  })

  it("names the key-encryption key when the keys are in the database", async () => {
    const { said } = await run({ keys: "database", keyEncryptionKeyFile: "kek" })
    expect(said).toEqual([
      { backup: target, keys: "included, encrypted", alsoKeep: ["kek", join(folder, "relayer.key")] },
    ])
  })

  it("replaces no file, and says what to do with PostgreSQL", async () => {
    await writeFile(target, "another backup")
    expect(await run()).toMatchObject({ code: 78, warnings: expect.stringContaining("wanted a new name") })
    expect((await stat(target)).size).toBe("another backup".length)
    const elsewhere = await run({ database: "postgres://a@127.0.0.1/b" })
    expect(elsewhere).toMatchObject({ code: 78, warnings: expect.stringContaining("pg_dump") })
  })

  it("leaves the schema of older books as it is, and nothing behind when it fails", async () => {
    const old = join(folder, "old.db")
    new Sqlite(old).exec("CREATE TABLE t (a)").close()
    expect((await run({ database: `sqlite:${old}` })).code).toBe(0)
    const copy = new Sqlite(target, { readonly: true })
    expect(copy.prepare("SELECT name FROM sqlite_schema").pluck().all()).toEqual(["t"])
    copy.close()
    await rm(target)
    expect((await run({ database: `sqlite:${join(folder, "none.db")}` })).code).toBe(78)
    expect((await readdir(folder)).filter((name) => name.startsWith("copy.db"))).toEqual([])
  })
})
