/** The store's contract through PgBouncer in transaction mode, which keeps no state of a session. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openStore } from "../../server/stores/index.ts"
import { orderOf } from "../support/orders.ts"
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

    it("many calls at once share the pooler's three connections", async () => {
      const { store, cleanup } = await openPooled()
      const orders = Array.from({ length: 60 }, () => orderOf())
      const [sold, known] = await Promise.all([
        Promise.all(orders.map((order) => store.redeem(order))),
        Promise.all(orders.map(({ key }) => store.recall({ key: `none ${key}` }))),
      ])
      expect(sold.map(({ kind }) => kind)).toEqual(Array(60).fill("redeemed"))
      expect(known).toEqual(Array(60).fill(null))
      for (const { key } of orders) expect(await store.recall({ key })).not.toBeNull()
      await cleanup()
    })
    storeContract("PostgreSQL", openPooled)
    unitContract("PostgreSQL", openPooled)
  })
else it.skip("through PgBouncer: not tested, scripts/system-packages.sh installs it", () => undefined)
