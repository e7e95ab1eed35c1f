import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Worker } from "node:worker_threads"
import Sqlite from "better-sqlite3"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type Store, StoreFileError, StoreUnavailable } from "../../../server/ports/store.ts"
import { openStore, UnknownStore } from "../../../server/stores/index.ts"
import { applyPragmas, openDatabase } from "../../../server/stores/sqlite/file.ts"
import { createGroup } from "../../../server/stores/sqlite/group.ts"
import { openSqliteStore } from "../../../server/stores/sqlite/store.ts"
import { bookQueries } from "../../../server/stores/verbs/books.ts"
import { queries } from "../../../server/stores/verbs/queries.ts"
import { bundled, compileInto } from "../../support/bundle.ts"
import { network, orderOf, preparation, relayer, start } from "../../support/orders.ts"

let directory: string
let file: string
const opened: Store[] = []
const databases: Sqlite.Database[] = []
const children: ChildProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ticket402-"))
  file = join(directory, "ticket402.db")
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
  for (const db of databases.splice(0)) db.close()
  await Promise.all(opened.splice(0).map((store) => store.close()))
  await rm(directory, { recursive: true })
})

async function open(deadlineMs = 5000): Promise<Store> {
  const store = await openSqliteStore({ file, deadlineMs })
  opened.push(store)
  return store
}

/** A second handle on the store's file. */
function handle(make = () => openDatabase(Sqlite, file)): Sqlite.Database {
  const db = make()
  databases.push(db)
  return db
}

function launch(parameters: readonly string[], cwd?: string) {
  const spawned = spawn(process.execPath, parameters, { stdio: ["ignore", "pipe", "inherit"], cwd })
  children.push(spawned)
  if (!spawned.stdout) throw new Error("the child has no stdout")
  return { spawned, lines: createInterface(spawned.stdout) }
}

function child(task: string, count = 0) {
  return launch([bundled("test/support/store-child.ts"), task, file, String(count)])
}

async function linesOf(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const line of lines) all.push(line)
  return all
}

it("KEY-10: refuses a database on a network file system and creates no file there", async () => {
  for (const [type, name] of [
    [0x6969, "NFS"],
    [0xff534d42, "CIFS"],
    // The magic number as a 32-bit system reports it.
    [0xfe534d42 - 2 ** 32, "SMB2"],
    // The magic number of ext4.
    [0xef53, undefined],
  ] as const) {
    const open = () => openDatabase(Sqlite, file, () => type).close()
    if (name) expect(open).toThrow(`found a network file system (${name}), wanted a disk of this machine`)
    else expect(open).not.toThrow()
    expect(await readdir(directory)).toHaveLength(name ? 0 : 1)
    await rm(file, { force: true })
  }
})

describe("durability", () => {
  it("RPL-05: every handle reads synchronous=FULL back after writes and reopening", async () => {
    const synchronous = (db: Sqlite.Database) => Number(db.pragma("synchronous", { simple: true }))
    const [first, second] = [handle(), handle()]
    for (const db of [first, second]) {
      expect(await createGroup(db)([{ id: 1, verb: "redeem", input: orderOf() }])).toMatchObject([{ id: 1 }])
      expect(synchronous(db)).toBe(2)
      expect(db.pragma("journal_mode", { simple: true })).toBe("wal")
    }
    first.close()
    expect(synchronous(handle())).toBe(2)
  })

  it("a handle whose synchronous is not FULL is refused", () => {
    const answers: Record<string, string> = { journal_mode: "wal", synchronous: "1" }
    const lowered = { pragma: (text: string) => answers[text] }
    expect(() => applyPragmas(lowered, "books.db")).toThrow("books.db: found synchronous=1, wanted 2")
  })

  it("acknowledged writes survive a kill of the process while it writes", async () => {
    const { spawned, lines } = child("write")
    const printed: string[] = []
    for await (const line of lines) {
      printed.push(line)
      if (printed.length === 300) spawned.kill("SIGKILL")
    }
    expect(printed.length).toBeGreaterThanOrEqual(300)
    const store = await open()
    const keys = printed.slice(1)
    const found = await Promise.all(keys.map((key) => store.recall({ key })))
    expect(found.filter((each) => each === null)).toEqual([])
    expect(handle().pragma("integrity_check", { simple: true })).toBe("ok")
  })
})

describe("several processes on one file", () => {
  it("claim each of 50 keys exactly once among 8", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => linesOf(child("claim", 50).lines)))
    expect(all.map((lines) => lines[0])).toEqual(Array.from({ length: 8 }, () => "open"))
    const claims = all.flatMap((lines) => lines.slice(1))
    expect(claims.sort()).toEqual(Array.from({ length: 50 }, (_, index) => `race-${index}`).sort())
    const entries = await (await open()).entries({ after: 0, limit: 1000 })
    expect(entries).toHaveLength(50)
  })

  it("wait for each other's lock without blocking the event loop", async () => {
    const store = await open()
    const other = handle()
    other.exec("BEGIN IMMEDIATE")
    let answered = false
    const order = orderOf()
    const claim = store.redeem(order).finally(() => {
      answered = true
    })
    const until = performance.now() + 1000
    let ticks = 0
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        ticks++
        if (performance.now() < until) return
        clearInterval(timer)
        resolve()
      }, 10)
    })
    expect(answered).toBe(false)
    expect(ticks).toBeGreaterThan(20)
    other.exec("COMMIT")
    expect(await claim).toMatchObject({ kind: "redeemed" })
  })

  it("read while another writes", async () => {
    const store = await open()
    const order = orderOf()
    await store.redeem(order)
    handle().exec("BEGIN IMMEDIATE")
    expect(await store.recall({ key: order.key })).not.toBeNull()
  })

  it("DOS-06: answer StoreUnavailable and write nothing after the lock deadline", async () => {
    const store = await open(150)
    const other = handle()
    other.exec("BEGIN IMMEDIATE")
    const orders = [orderOf(), orderOf(), orderOf()]
    const outcomes = await Promise.allSettled(orders.map((order) => store.redeem(order)))
    for (const outcome of outcomes)
      expect(outcome.status === "rejected" && outcome.reason).toBeInstanceOf(StoreUnavailable)
    other.exec("COMMIT")
    expect(await store.entries({ after: 0, limit: 9 })).toEqual([])
    for (const order of orders) expect(await store.recall(order)).toBeNull()
    expect(await store.redeem(orderOf())).toMatchObject({ kind: "redeemed" })
  })

  it("do not open a file that is locked beyond the deadline", async () => {
    await writeFile(file, "", { mode: 0o600 })
    handle(() => new Sqlite(file)).exec("BEGIN EXCLUSIVE")
    await expect(open(150)).rejects.toBeInstanceOf(StoreUnavailable)
  })
})

describe("a group of verbs", () => {
  it("keeps the writes of its other verbs when one throws", async () => {
    const group = createGroup(handle())
    const lease = { id: 1, verb: "lease", input: { holder: "a", seconds: 30, now: start } } as const
    expect(await group([lease])).toEqual([{ id: 1, value: { fence: 1 } }])
    const [before, inside, after] = [orderOf(), orderOf(), orderOf()]
    const bad = { fence: 1, nonce: 0, ...preparation([before.key, "nobody's"]) }
    const answers = await group([
      { id: 2, verb: "redeem", input: before },
      { id: 3, verb: "prepare", input: bad },
      { id: 4, verb: "redeem", input: { ...inside, grant: before.grant } },
      { id: 5, verb: "redeem", input: after },
      { id: 6, verb: "inFlight", input: { fence: 1, network } },
      { id: 7, verb: "nextNonce", input: { fence: 1, network, relayer, chainNonce: 0 } },
    ])
    expect(answers).toMatchObject([
      { id: 2, value: { kind: "redeemed" } },
      { id: 3, error: { message: "there is no redemption nobody's" } },
      { id: 4, error: { message: "the store refused the write (SQLITE_CONSTRAINT_PRIMARYKEY)" } },
      { id: 5, value: { kind: "redeemed" } },
      { id: 6, value: [] },
      { id: 7, value: { nonce: 0 } },
    ])
    const store = await open()
    expect((await store.recall(before))?.redemption.state).toBe("accepted")
    expect(await store.recall(inside)).toBeNull()
    expect(await store.recall(after)).not.toBeNull()
  })

  it("answers StoreUnavailable and writes nothing when the disk is full", async () => {
    const db = handle()
    const group = createGroup(db)
    const pages = Number(db.pragma("page_count", { simple: true }))
    db.pragma(`max_page_count = ${pages}`)
    const orders = Array.from({ length: 100 }, () => orderOf())
    const answers = await group(orders.map((order, id) => ({ id, verb: "redeem", input: order })))
    expect(answers).toEqual(
      orders.map((_, id) => ({
        id,
        error: { name: "StoreUnavailable", message: "the database cannot be used (SQLITE_FULL)" },
      })),
    )
    expect(await (await open()).entries({ after: 0, limit: 1 })).toEqual([])
    db.pragma("max_page_count = 100000")
    expect(await group([{ id: 1, verb: "redeem", input: orders[0] }])).toMatchObject([
      { value: { kind: "redeemed" } },
    ])
  })
})

describe("the store thread", () => {
  it("rejects waiting and later calls with StoreUnavailable when it dies", async () => {
    const started = once(process, "worker") as Promise<[Worker]>
    const store = await open()
    const [thread] = await started
    handle().exec("BEGIN IMMEDIATE")
    const waiting = [store.redeem(orderOf()), store.redeem(orderOf())]
    // A malformed message ends the thread. Terminating it from outside may abort the process.
    thread.postMessage(null)
    await Promise.all(waiting.map((claim) => expect(claim).rejects.toBeInstanceOf(StoreUnavailable)))
    await expect(store.redeem(orderOf())).rejects.toBeInstanceOf(StoreUnavailable)
    await store.close()
  })

  it("rejects input that cannot be posted and continues", async () => {
    const store = await open()
    const order = { ...orderOf(), key: (() => "") as unknown as string }
    // Calls of one turn share a message, and one of them spoils it for no other.
    const [refused, other] = await Promise.allSettled([store.redeem(order), store.redeem(orderOf())])
    expect(refused).toMatchObject({ status: "rejected", reason: { name: "DataCloneError" } })
    expect(other).toMatchObject({ status: "fulfilled", value: { kind: "redeemed" } })
    expect(await store.redeem(orderOf())).toMatchObject({ kind: "redeemed" })
  })

  it("undoes a call that fails, and none of those in its transaction", async () => {
    const store = await open()
    const before = orderOf()
    const [first, failed, last] = await Promise.allSettled([
      store.redeem(before),
      store.redeem({ ...orderOf(), now: start + 0.5 }),
      store.redeem(orderOf()),
    ])
    expect(failed).toMatchObject({
      status: "rejected",
      reason: { message: expect.stringContaining("SQLITE_CONSTRAINT") },
    })
    for (const kept of [first, last])
      expect(kept).toMatchObject({ status: "fulfilled", value: { kind: "redeemed" } })
    expect(await store.redeem(before)).toMatchObject({ kind: "repeated" })
    expect((await store.exposure()).queued).toBe(2)
  })
})

describe("the compiled store", () => {
  const script = `import { openStore } from "./index.js"
    const store = await openStore("sqlite:./data.db").catch((error) => console.log(error.name + ": " + error.message))
    if (store) console.log(JSON.stringify(await store.lease({ holder: "a", seconds: 1, now: 1 })))
    await store?.close()`

  async function run(): Promise<string[]> {
    await writeFile(join(directory, "package.json"), '{ "type": "module" }')
    await writeFile(join(directory, "run.mjs"), script)
    const { lines } = launch(["run.mjs"], directory)
    return linesOf(lines)
  }

  it("runs its thread from JavaScript", async () => {
    compileInto(directory, "server/stores/index.ts")
    await symlink(
      fileURLToPath(new URL("../../../node_modules", import.meta.url)),
      join(directory, "node_modules"),
    )
    expect(await run()).toEqual(['{"fence":1}'])
  })

  it("names the package to install when better-sqlite3 is missing", async () => {
    compileInto(directory, "server/stores/index.ts")
    expect(await run()).toEqual([
      "MissingPackage: The SQLite store needs the package better-sqlite3: npm i better-sqlite3",
    ])
  })
})

describe("the statements", () => {
  it("scan a growing table only in the verbs that read the whole books", () => {
    const db = openDatabase(Sqlite, file)
    const ofBooks: readonly string[] = Object.values(bookQueries)
    const others = queries.filter((sql) => !ofBooks.includes(sql))
    // An index of suspended payments holds few rows, which end soon.
    const growing =
      /^SCAN (grants|redemptions|entries|transactions|versions|rides|slices|revocations|used_keys)\b(?!.*redemptions_suspended)/
    const scanning = others.filter((sql) => {
      const named = Object.fromEntries([...sql.matchAll(/:(\w+)/g)].map(([, name]) => [name, null]))
      const plan = db.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      return plan.all(named).some(({ detail }) => growing.test(detail))
    })
    db.close()
    expect(others.length).toBeGreaterThan(50)
    expect(scanning).toEqual([])
  })
})

describe("the database file", () => {
  it("is readable by its owner only, with all files and folders beside it", async () => {
    file = join(directory, "data", "deep", "ticket402.db")
    await (await open()).redeem(orderOf())
    const data = join(directory, "data")
    expect((await stat(data)).mode & 0o777).toBe(0o700)
    const names = await readdir(join(data, "deep"))
    expect(names.sort()).toEqual(["ticket402.db", "ticket402.db-shm", "ticket402.db-wal"])
    for (const name of names) expect((await stat(join(data, "deep", name))).mode & 0o777).toBe(0o600)
  })

  it.each([0o644, 0o640, 0o620, 0o606, 0o700])("is refused with mode %o", async (mode) => {
    await writeFile(file, "")
    await chmod(file, mode)
    const refused = open()
    await expect(refused).rejects.toBeInstanceOf(StoreFileError)
    await expect(refused).rejects.toThrow(`${file}: found mode 0${mode.toString(8)}, wanted 0600`)
  })

  it("is refused in one sentence where its folder cannot be made", async () => {
    await writeFile(join(directory, "a-file"), "")
    file = join(directory, "a-file", "ticket402.db")
    const refused = open()
    await expect(refused).rejects.toBeInstanceOf(StoreFileError)
    await expect(refused).rejects.toThrow(
      `${file}: cannot be opened (EEXIST), wanted a file in a folder that this user may write`,
    )
  })

  it("is refused when it is a link, a directory or no database", async () => {
    await symlink(join(directory, "elsewhere.db"), file)
    await expect(open()).rejects.toThrow("found a symbolic link, wanted a regular file")
    expect(await readdir(directory)).toEqual(["ticket402.db"])
    await rm(file)
    await mkdir(file)
    await expect(open()).rejects.toThrow("wanted a regular file")
    await rm(file, { recursive: true })
    await writeFile(file, "this is no database".repeat(100), { mode: 0o600 })
    await expect(open()).rejects.toThrow("the database cannot be used (SQLITE_NOTADB)")
  })

  it("is refused unchanged when it belongs to another program", async () => {
    file = join(directory, "other.db")
    await writeFile(file, "", { mode: 0o600 })
    const other = handle(() => new Sqlite(file))
    other.exec("CREATE TABLE recipes (name TEXT)")
    await expect(open()).rejects.toBeInstanceOf(StoreFileError)
    expect(other.pragma("journal_mode", { simple: true })).toBe("delete")
  })

  it("RPL-02: rejects a second row of a key or Transfer by its own constraints", async () => {
    const db = handle()
    const group = createGroup(db)
    const claim = (key: string) => group([{ id: 1, verb: "redeem", input: orderOf({ key }) }])
    expect([await claim("a"), await claim("b")]).toMatchObject([[{ value: {} }], [{ value: {} }]])
    expect(() => db.exec("UPDATE redemptions SET key = 'a' WHERE key = 'b'")).toThrow("UNIQUE constraint")
    const evidence = `transaction_hash = 'h', log_index = 1, block_number = 1, block_hash = 'b', due_at = NULL, state = 'mined'`
    expect(() => db.exec(`UPDATE redemptions SET ${evidence}`)).toThrow("UNIQUE constraint")
  })

  it("rejects rows that no code of this release would write", async () => {
    const db = handle()
    await createGroup(db)([{ id: 1, verb: "redeem", input: orderOf({ key: "k" }) }])
    for (const change of [
      "state = 'lost'",
      "value = '007'",
      "value = '-1'",
      "value = '1e3'",
      "value = ''",
      "nominal = 0.5",
      "log_index = 1",
      "state = 'paid'",
      "due_at = NULL",
      "payer = '0xAB'",
      "grant_id = 'nobody'",
    ])
      expect(() => db.exec(`UPDATE redemptions SET ${change}`), change).toThrow("constraint failed")
    expect(() => db.exec("UPDATE redemptions SET from_block = 0.5")).toThrow("cannot store REAL value")
  })
})

describe("store URLs", () => {
  it("open the store they name", async () => {
    for (const url of [`sqlite:${file}`, "memory:"]) {
      const store = await openStore(url)
      expect(await store.redeem(orderOf())).toMatchObject({ kind: "redeemed" })
      await store.close()
    }
  })

  it.each(["", "sqlite:", "memory:x", "postgres:host", "mysql://host/books", "constructor:"])(
    "are refused when malformed: %j",
    async (url) => {
      await expect(openStore(url)).rejects.toBeInstanceOf(UnknownStore)
      await expect(openStore(url)).rejects.toThrow('wanted "sqlite:FILE", "memory:" or "postgres://')
    },
  )
})
