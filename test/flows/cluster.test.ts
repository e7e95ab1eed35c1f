import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { manyInstances } from "../chaos/instances.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { createDatabase, type TestDatabase } from "../support/postgres/run.ts"

let chain: LocalChain
let database: TestDatabase
beforeAll(async () => {
  ;[chain, database] = await Promise.all([startLocalChain({ blockTimeSeconds: 0 }), createDatabase()])
})
afterAll(async () => {
  await chain.stop()
  await database.drop()
})

describe("instances on one PostgreSQL", () => {
  it("MI-01, MI-04, MI-11: sell, count and settle exactly, also when two are killed", async () => {
    const counts = { instances: 3, sales: 6, posts: 40, calls: 150 }
    const rows = await manyInstances(chain, database.url, counts)
    expect(rows.flatMap(({ wrong }) => wrong)).toEqual([])
    expect(rows.every(({ tries }) => tries > 0)).toBe(true)
  }, 120_000)
})
