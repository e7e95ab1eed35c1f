import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import Sqlite from "better-sqlite3"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { auditBooks } from "../../../server/books/audit.ts"
import { StoreFileError } from "../../../server/ports/store.ts"
import { openStore } from "../../../server/stores/index.ts"
import { migrations } from "../../../server/stores/migrations/index.ts"
import { checksumOf, type Dialect, scriptOf } from "../../../server/stores/migrations/migration.ts"
import { migrate, missing } from "../../../server/stores/sqlite/schema.ts"
import { bundled } from "../../support/bundle.ts"
import { orderOf, start } from "../../support/orders.ts"

let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ticket402-"))
  file = join(directory, "ticket402.db")
})
afterEach(() => rm(directory, { recursive: true }))

const oldBooks = readFileSync(fileURLToPath(new URL("../../vectors/books-4.sql", import.meta.url)), "utf8")

/** The file as the release before migrations left it. */
async function writeOldBooks(): Promise<void> {
  await writeFile(file, "", { mode: 0o600 })
  onFile((db) => {
    db.pragma("foreign_keys = OFF")
    db.exec(oldBooks)
  })
}

function onFile<T>(work: (db: Sqlite.Database) => T): T {
  const db = new Sqlite(file)
  try {
    return work(db)
  } finally {
    db.close()
  }
}

const tablesOf = (db: Sqlite.Database) =>
  db
    .prepare<[], { name: string }>(
      "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name",
    )
    .all()
const appliedIn = (db: Sqlite.Database) =>
  db.prepare<[], number>("SELECT number FROM migrations ORDER BY number").pluck().all()
const numbers = migrations.map((_, index) => index + 1)

describe("books of the release before migrations", () => {
  beforeEach(writeOldBooks)

  it("open with every sale, entry and grant, and pass the audit", async () => {
    const before = onFile((db) => db.prepare("SELECT sequence, kind, facts FROM entries").all()) as {
      facts: string
    }[]
    const store = await openStore(`sqlite:${file}`)
    expect(await auditBooks(store)).toEqual([])
    expect(await store.entries({ after: 0, limit: 100 })).toMatchObject(
      before.map((row) => ({ ...row, facts: JSON.parse(row.facts) })),
    )
    const sales = await store.redemptions({ state: null, after: 0, limit: 100 })
    expect(sales.map(({ redemption }) => redemption.state)).toEqual([
      "paid",
      "failed",
      "accepted",
      "paid",
      "accepted",
    ])
    const order = orderOf({ now: start + 60 })
    expect(await store.redeem(order)).toMatchObject({ kind: "redeemed" })
    await store.close()
  })

  it("have afterwards the schema of new books", async () => {
    await (await openStore(`sqlite:${file}`)).close()
    const fresh = new Sqlite(":memory:")
    migrate(fresh, "memory:")
    const old = onFile(tablesOf).filter(({ name }) => name !== "migrations")
    expect(old).toEqual(tablesOf(fresh).filter(({ name }) => name !== "migrations"))
    fresh.close()
  })

  it("are migrated once by 4 processes that start at the same time", async () => {
    const said = Array.from({ length: 4 }, async () => {
      const child = spawn(process.execPath, [bundled("test/support/store-child.ts"), "claim", file])
      return text(child.stdout)
    })
    expect(await Promise.all(said)).toEqual(["open\n", "open\n", "open\n", "open\n"])
    if (numbers.length > 1) expect(onFile(appliedIn)).toEqual(numbers)
  })
})

describe("a database", () => {
  beforeEach(async () => (await openStore(`sqlite:${file}`)).close())

  const refusal = (): Promise<unknown> => openStore(`sqlite:${file}`).catch((error: unknown) => error)
  const bytes = () => onFile((db) => db.serialize())

  it("lists every migration that it has run", () => {
    expect(onFile(appliedIn)).toEqual(numbers)
  })

  it.each([
    ["of a newer schema", "INSERT INTO migrations VALUES (99, 'later', 'ff')", "found schema version 99"],
    ["of a newer kind", "PRAGMA user_version = 99", "found database version 99"],
    ["that ran another text", "UPDATE migrations SET checksum = 'ff' WHERE number = 1", "with another text"],
    ["of a development version", "PRAGMA user_version = 1", "of a development version"],
  ])("%s is refused with one line and left alone", async (_, change, words) => {
    onFile((db) => db.exec(change))
    const before = bytes()
    const error = await refusal()
    expect(error).toBeInstanceOf(StoreFileError)
    expect(error).toMatchObject({ message: expect.stringContaining(words) })
    expect((error as Error).message).toMatch(/^.*ticket402\.db: [^\n]+$/)
    expect(bytes().equals(before)).toBe(true)
  })
})

it("a file that another process is making is not taken for an old one", async () => {
  await writeFile(file, "", { mode: 0o600 })
  const [late, early] = [new Sqlite(file), new Sqlite(file)]
  late.pragma("journal_mode = WAL")
  const pragma = late.pragma.bind(late)
  late.pragma = (source, options) => {
    const found = pragma(source, options)
    if (source === "user_version") migrate(early, file)
    return found
  }
  expect(missing(late, file)).toHaveLength(migrations.length)
  late.close()
  early.close()
})

describe("a migration", () => {
  const first = {
    name: "first",
    sqlite: "CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT; INSERT INTO a VALUES (1);",
  }
  const child = "CREATE TABLE b (a INTEGER REFERENCES a (id)) STRICT; INSERT INTO b VALUES (1);"

  it("that fails leaves the database as it was", () => {
    const db = new Sqlite(":memory:")
    migrate(db, "memory:", [first])
    const broken = {
      name: "broken",
      sqlite: "CREATE TABLE half (id INTEGER) STRICT; INSERT INTO nowhere VALUES (1);",
    }
    expect(() => migrate(db, "memory:", [first, broken])).toThrow("nowhere")
    expect(appliedIn(db)).toEqual([1])
    expect(tablesOf(db)).not.toContainEqual(expect.objectContaining({ name: "half" }))
    db.close()
  })

  it("may rebuild a table that others refer to, but never orphans a row", () => {
    const db = new Sqlite(":memory:")
    migrate(db, "memory:", [first, { name: "child", sqlite: child }])
    const rebuild = (rows: string) => ({
      name: "rebuild",
      sqlite: `CREATE TABLE c (id INTEGER PRIMARY KEY, more TEXT) STRICT; INSERT INTO c (id) SELECT id FROM a ${rows};
        DROP TABLE a; ALTER TABLE c RENAME TO a;`,
    })
    const before = [first, { name: "child", sqlite: child }]
    expect(() => migrate(db, "memory:", [...before, rebuild("WHERE id > 1")])).toThrow(
      "would leave 1 rows without their parents",
    )
    migrate(db, "memory:", [...before, rebuild("")])
    expect(appliedIn(db)).toEqual([1, 2, 3])
    expect(db.pragma("foreign_keys", { simple: true })).toBe(1)
    db.close()
  })

  it("is one file, named by its number, and keeps its text once it has landed", async () => {
    const folder = new URL("../../../server/stores/migrations/", import.meta.url)
    const files = (await readdir(folder)).filter((name) => /^\d/.test(name)).sort()
    expect(files).toEqual(
      migrations.map(({ name }, index) => `${String(index + 1).padStart(4, "0")}-${name}.ts`),
    )
    const textsOf = (dialect: Dialect) =>
      migrations.map((migration) => checksumOf(scriptOf(migration, dialect)).slice(0, 16))
    expect(textsOf("sqlite")).toEqual(landed)
    expect(textsOf("postgres")).toEqual(landedOnPostgres)
  })
})

/** Databases in the field remember these: add to the list, never change it. */
const landed = [
  "08fc152ba9be2896",
  "5ba9a58f6a4dbb12",
  "9ffe1be3e1e248ed",
  "ac3bb1e35f82ada2",
  "d2d360cafd3e07a1",
  "720b1fe1f3266beb",
  "94bbb30adeb3069c",
  "968183c3e2035195",
  "ab1e5841d0878fe5",
]

/** The same of the texts for PostgreSQL. */
const landedOnPostgres = [
  "3e5b7ef71735430d",
  "9947f70e2d5855aa",
  "13a6e4089fae224f",
  "709c03bd2f18dc45",
  "55a8f32f91a0c5a2",
  "10932be640955fa8",
  "82c9aee32a70107c",
  "9bab885f2635b3f7",
  "341a1dbc2f066b0c",
]
