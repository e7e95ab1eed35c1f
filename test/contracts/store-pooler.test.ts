/** The store's contract through PgBouncer in transaction mode, which keeps no state of a session. */
import { afterAll, beforeAll, describe, it } from "vitest"
import { openStore } from "../../server/stores/index.ts"
import { hasPooler, type Pooler, startPooler } from "../support/postgres/pooler.ts"
import { createDatabase } from "../support/postgres/run.ts"
import { type OpenedStore, storeContract } from "./store.ts"
import { unitContract } from "./store-units.ts"

let pooler: Pooler

async function openPooled(): Promise<OpenedStore> {
  const database = await createDatabase()
  const url = new URL(database.url)
  url.port = String(pooler.port)
  let store = await openStore(url.href)
  return {
    store,
    async reopen() {
      await store.close()
      store = await openStore(url.href)
      return store
    },
    async cleanup() {
      await store.close()
      await database.drop()
    },
  }
}

if (hasPooler())
  describe("through PgBouncer in transaction mode", () => {
    beforeAll(async () => {
      const database = await createDatabase()
      pooler = await startPooler(Number(new URL(database.url).port))
      await database.drop()
    })
    afterAll(() => pooler.stop())
    storeContract("PostgreSQL", openPooled)
    unitContract("PostgreSQL", openPooled)
  })
else it.skip("through PgBouncer: not tested, scripts/system-packages.sh installs it", () => undefined)
