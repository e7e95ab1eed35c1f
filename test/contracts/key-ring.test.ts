import { randomBytes } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createRingFile, openRingDatabase } from "../../server/keys/index.ts"
import { openStore } from "../../server/stores/index.ts"
import { createDatabase } from "../support/postgres/run.ts"
import { keyRingContract, type OpenedRing } from "./key-ring.ts"

async function createFolder(): Promise<OpenedRing> {
  const folder = await mkdtemp(join(tmpdir(), "ring-"))
  return {
    open: async () => createRingFile(folder),
    cleanup: () => rm(folder, { recursive: true }),
  }
}

async function createIn(url: string, drop: () => Promise<void>): Promise<OpenedRing> {
  const folder = await mkdtemp(join(tmpdir(), "ring-"))
  const keyEncryptionKeyFile = join(folder, "encryption.key")
  await writeFile(keyEncryptionKeyFile, randomBytes(32).toString("hex"), { mode: 0o600 })
  // Two stores, as of two processes.
  const stores = [await openStore(url), await openStore(url)] as const
  let opened = 0
  return {
    open: () => openRingDatabase(stores[opened++ % 2 === 0 ? 0 : 1], { keyEncryptionKeyFile }),
    async cleanup() {
      await Promise.all(stores.map((store) => store.close()))
      await rm(folder, { recursive: true })
      await drop()
    },
  }
}

async function createSqlite(): Promise<OpenedRing> {
  const folder = await mkdtemp(join(tmpdir(), "books-"))
  return createIn(`sqlite:${join(folder, "ticket402.db")}`, () => rm(folder, { recursive: true }))
}

async function createPostgres(): Promise<OpenedRing> {
  const database = await createDatabase()
  return createIn(database.url, database.drop)
}

keyRingContract("a folder", createFolder)
keyRingContract("SQLite", createSqlite)
keyRingContract("PostgreSQL", createPostgres)
