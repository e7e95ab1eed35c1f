import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openStore } from "../../server/stores/index.ts"
import { createDatabase } from "../support/postgres/run.ts"
import { type OpenedStore, storeContract } from "./store.ts"
import { booksContract } from "./store-books.ts"
import { claimContract } from "./store-claims.ts"
import { derivedContract } from "./store-derived.ts"
import { figuresContract } from "./store-figures.ts"
import { ledgerContract } from "./store-ledger.ts"
import { revocationContract } from "./store-revocations.ts"
import { suspendedContract } from "./store-suspended.ts"
import { topUpContract } from "./store-top-ups.ts"
import { unitContract } from "./store-units.ts"
import { whitelistContract } from "./store-whitelist.ts"

async function openMemory(): Promise<OpenedStore> {
  const store = await openStore("memory:")
  // A memory store forgets at a restart, so reopening returns the same store.
  return { store, reopen: async () => store, cleanup: () => store.close() }
}

async function openSqlite(): Promise<OpenedStore> {
  const directory = await mkdtemp(join(tmpdir(), "ticket402-"))
  const file = join(directory, "ticket402.db")
  let store = await openStore(`sqlite:${file}`)
  return {
    store,
    async reopen() {
      await store.close()
      store = await openStore(`sqlite:${file}`)
      return store
    },
    async cleanup() {
      await store.close()
      await rm(directory, { recursive: true })
    },
  }
}

async function openPostgres(): Promise<OpenedStore> {
  const database = await createDatabase()
  let store = await openStore(database.url)
  return {
    store,
    async reopen() {
      await store.close()
      store = await openStore(database.url)
      return store
    },
    async cleanup() {
      await store.close()
      await database.drop()
    },
  }
}

for (const contract of [
  storeContract,
  unitContract,
  derivedContract,
  topUpContract,
  revocationContract,
  whitelistContract,
  booksContract,
  claimContract,
  ledgerContract,
  suspendedContract,
  figuresContract,
]) {
  contract("memory", openMemory)
  contract("SQLite", openSqlite)
  contract("PostgreSQL", openPostgres)
}
