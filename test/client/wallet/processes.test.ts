import { chmod, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { generatePrivateKey } from "viem/accounts"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Ticket402Error } from "../../../client/index.ts"
import { createFileStore } from "../../../client/node/index.ts"
import { runBuyers } from "../../support/buyers.ts"
import { failure, origin } from "../../support/client-setup.ts"
import { hour } from "../../support/fake-origin.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "store-"))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const clock = {
  get now() {
    return Date.now() / 1000
  },
}

describe("buyers that share a file", () => {
  it("CLI-13: make one purchase for 100 cold calls in 4 processes", async () => {
    const seller = await origin(clock)
    const order = {
      file: join(folder, "cold.db"),
      key: generatePrivateKey(),
      url: `${seller.url}/movies/7`,
      budget: { perPurchase: "0.05", perDay: "1" },
      calls: 25,
    }
    const ends = await runBuyers(order, order, order, order)
    expect(ends.flat()).toEqual(Array(100).fill("200"))
    expect(seller.transfers).toHaveLength(1)
    expect(seller.requestsTo("POST /token")).toHaveLength(1)
  })

  it("CLI-02: make one purchase when two race for the last $0.10 of the budget", async () => {
    const sellers = await Promise.all([origin(clock), origin(clock)])
    const orders = sellers.map((seller) => {
      seller.offers = [{ ...hour, amount: "100000" }]
      return {
        file: join(folder, "last.db"),
        key: generatePrivateKey(),
        url: `${seller.url}/movies/7`,
        budget: { perPurchase: "0.10", perDay: "0.10" },
      }
    })
    const ends = await runBuyers(...orders)
    expect(ends.flat().sort()).toEqual(["200", "day_budget_spent"])
    expect(sellers.flatMap(({ transfers }) => transfers)).toHaveLength(1)
  })

  it("CLI-13: refresh an expiring token once among four processes", async () => {
    const seller = await origin(clock)
    const order = {
      file: join(folder, "refresh.db"),
      key: generatePrivateKey(),
      url: `${seller.url}/movies/7`,
      budget: { perPurchase: "0.05", perDay: "1" },
    }
    await runBuyers(order)
    const late = { ...order, aheadSeconds: 298, calls: 10 }
    expect((await runBuyers(late, late, late, late)).flat()).toEqual(Array(40).fill("200"))
    expect(seller.requestsTo("POST /token")).toHaveLength(2)
    expect(seller.transfers).toHaveLength(1)
  })
})

describe("the client's file", () => {
  it("is private to its owner and refused otherwise", async () => {
    const file = join(folder, "deep/own/store.db")
    const store = await createFileStore({ file })
    await store.approveRecipient("https://api.example", "0x209693bc6afc0c5328ba36faf03c514ef312287c")
    for (const beside of ["", "-wal", "-shm"]) expect((await stat(file + beside)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, "deep/own"))).mode & 0o777).toBe(0o700)
    store.close()
    await chmod(file, 0o640)
    const error = await failure(createFileStore({ file }))
    expect(error).toMatchObject({ code: "store_unavailable", found: "mode 0640", wanted: "0600 (chmod 600)" })
    expect(`${error.message}${error.stack?.split("\n", 1)}`).not.toContain(folder)
  })

  it.each([
    ["a symbolic link", async (file: string) => symlink(join(folder, "target"), file), "no regular file"],
    [
      "a folder",
      async (file: string) => void (await createFileStore({ file: join(file, "x") })).close(),
      "no regular file",
    ],
    [
      "no database",
      async (file: string) => writeFile(file, "x".repeat(8192), { mode: 0o600 }),
      "SQLITE_NOTADB",
    ],
    [
      "another program's",
      async (file: string) => {
        await writeFile(file, "", { mode: 0o600 })
        const db = new Sqlite(file)
        db.exec("CREATE TABLE theirs (x)")
        db.close()
      },
      "a database of another program",
    ],
  ])("is refused when it is %s", async (name, make, found) => {
    const file = join(folder, `odd-${name.replace(/\W/g, "-")}.db`)
    await make(file)
    const error = await failure(createFileStore({ file }))
    expect(error).toBeInstanceOf(Ticket402Error)
    expect(error).toMatchObject({ code: "store_unavailable", found })
  })

  it("waits for another process's write and fails after the deadline", async () => {
    const file = join(folder, "held.db")
    const [hasty, patient] = [await createFileStore({ file, deadlineMs: 1 }), await createFileStore({ file })]
    const holder = new Sqlite(file)
    holder.exec("BEGIN IMMEDIATE")
    const lock = { name: "a", holder: "b", until: 1 }
    expect(await failure(hasty.lock(lock, 0))).toMatchObject({ found: "SQLITE_BUSY" })
    const waiting = patient.lock(lock, 0)
    holder.exec("COMMIT")
    expect(await waiting).toBe(true)
    holder.close()
    hasty.close()
    patient.close()
  })
})
