import pg from "pg"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type Store, StoreFileError, StoreUnavailable } from "../../../server/ports/store.ts"
import { readAddress } from "../../../server/stores/postgres/address.ts"
import { createConnections } from "../../../server/stores/postgres/connections.ts"
import { openPostgresStore } from "../../../server/stores/postgres/store.ts"
import { createTransactions } from "../../../server/stores/postgres/transactions.ts"
import { ledgerVerbQueries } from "../../../server/stores/verbs/ledger.ts"
import { type OrderChanges, orderOf, randomAddress, start } from "../../support/orders.ts"
import { type Cut, startCutProxy } from "../../support/postgres/cut-proxy.ts"
import { createDatabase, type TestDatabase } from "../../support/postgres/run.ts"

let database: TestDatabase
const stores: Store[] = []
const clients: pg.Client[] = []
beforeEach(async () => {
  database = await createDatabase()
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()))
  await Promise.all(stores.splice(0).map((store) => store.close()))
  await database.drop()
})

async function open(url = database.url, options: { deadlineMs?: number; connections?: number } = {}) {
  const store = await openPostgresStore({ url, ...options })
  stores.push(store)
  return store
}

/** A connection of another program. */
async function connect(): Promise<pg.Client> {
  const client = new pg.Client(database.url)
  await client.connect()
  clients.push(client)
  return client
}

async function fetchValue(sql: string): Promise<unknown> {
  const client = new pg.Client(database.url)
  await client.connect()
  const { rows } = await client.query({ text: sql, rowMode: "array" })
  await client.end()
  return rows[0]?.[0]
}

const waiting = `
  SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`

const refusalOf = (url = database.url): Promise<unknown> => open(url).catch((error: unknown) => error)
const nameOf = ({ url }: TestDatabase) => new URL(url).pathname.slice(1)
const ledgerOf = (store: Store) => store.entries({ after: 0, limit: 10_000 })

describe("a PostgreSQL server", () => {
  it("that answers a COMMIT before it is on the disk is refused at the start", async () => {
    await (await connect()).query(`ALTER DATABASE ${nameOf(database)} SET synchronous_commit = off`)
    const error = await refusalOf()
    expect(error).toBeInstanceOf(StoreFileError)
    expect(String(error)).toContain("found synchronous_commit=off, wanted on")
  })

  it("is refused when its database is of another program, which stays as it is", async () => {
    const foreign = await createDatabase("empty")
    const client = new pg.Client(foreign.url)
    await client.connect()
    await client.query("CREATE TABLE migrations (id INT)")
    expect(await refusalOf(foreign.url)).toMatchObject({
      name: "StoreFileError",
      message: expect.stringContaining("found a database of another program"),
    })
    const { rows } = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    expect(rows).toEqual([{ tablename: "migrations" }])
    await client.end()
    await foreign.drop()
  })

  it("KEY-12: refuses a wrong password with a message that holds none", async () => {
    const url = database.url.replace(/:[^:@/]*@/, ":wrong-secret@")
    const error = await refusalOf(url)
    expect(error).toBeInstanceOf(StoreFileError)
    expect(String(error)).toContain("28P01")
    expect(JSON.stringify([String(error), error])).not.toContain("wrong-secret")
  })

  it("is migrated once by 4 processes that start at the same time", async () => {
    const empty = await createDatabase("empty")
    const opened = await Promise.all(Array.from({ length: 4 }, () => openPostgresStore({ url: empty.url })))
    const generations = await Promise.all(opened.map((store) => store.generation()))
    expect(new Set(generations).size).toBe(1)
    await Promise.all(opened.map((store) => store.close()))
    await empty.drop()
  })
})

describe("a claim", () => {
  it("MI-01: is won once by two processes that post the same payments", async () => {
    const [one, other] = [await open(), await open()]
    const orders = Array.from({ length: 30 }, () => orderOf())
    const outcomes = await Promise.all(
      orders.flatMap((order) =>
        [one, other].map((store) => store.redeem({ ...order, grant: orderOf().grant })),
      ),
    )
    expect(outcomes.filter(({ kind }) => kind === "redeemed")).toHaveLength(30)
    expect(outcomes.filter(({ kind }) => kind === "repeated")).toHaveLength(30)
    expect((await ledgerOf(one)).map(({ kind }) => kind)).toEqual(Array(30).fill("redeemed"))
  })

  it.each(["read committed", "repeatable read", "serializable"])(
    "MI-01: is refused by its key alone, when the default is %s",
    async (level) => {
      const client = await connect()
      await client.query(`ALTER DATABASE ${nameOf(database)} SET default_transaction_isolation = '${level}'`)
      const store = await open()
      const known = orderOf()
      await store.redeem(known)
      // Another program that takes no turn has the same key in a transaction that is still open.
      const order = orderOf()
      await client.query("BEGIN")
      await client.query(`
        INSERT INTO grants OVERRIDING SYSTEM VALUE
        SELECT (jsonb_populate_record(grants, '{"id":"foreign"}')).* FROM grants`)
      await client.query(
        `INSERT INTO redemptions
         SELECT (jsonb_populate_record(redemptions, jsonb_build_object('id', 99, 'key', $1::text, 'grant_id', 'foreign'))).*
         FROM redemptions`,
        [order.key],
      )
      const outcome = store.redeem(order)
      while ((await fetchValue(waiting)) === "0");
      await client.query("COMMIT")
      expect(await outcome).toMatchObject({ kind: "repeated", grant: { id: "foreign" } })
    },
  )
})

describe("a connection that breaks during COMMIT", () => {
  it.each<[Cut]>([["before"], ["after"]])(
    "MI-02: %s the server has it loses and doubles nothing",
    async (cut) => {
      const proxy = await startCutProxy(Number(new URL(database.url).port))
      const url = new URL(database.url)
      url.port = String(proxy.port)
      const store = await open(url.href)
      const orders = Array.from({ length: 10 }, () => orderOf())
      for (const order of orders) {
        const happened = proxy.cutNext(cut)
        expect(await store.redeem(order)).toMatchObject({ kind: "redeemed", grant: { id: order.grant.id } })
        await happened
      }
      expect((await ledgerOf(store)).map(({ redemptionKey }) => redemptionKey)).toEqual(
        orders.map(({ key }) => key),
      )
      const happened = proxy.cutNext(cut)
      const target = { kind: "grant", grantId: orders[0]?.grant.id ?? "" } as const
      const revoked = await store.revoke({ target, by: "operator", note: null, now: start })
      await happened
      expect(revoked).toEqual({ revoked: 1 })
      await store.close()
      await proxy.close()
    },
  )
})

describe("the ledger", () => {
  it("shows a reader every entry of a transaction held open across 100 later commits", async () => {
    const connections = createConnections(pg, readAddress(database.url, undefined), {
      limit: 4,
      deadlineMs: 5000,
    })
    const { read, write } = createTransactions(connections, 5000)
    const store = await open()
    const entry = (kind: string) => ({
      at: start,
      kind,
      grantId: null,
      redemptionKey: null,
      offer: null,
      facts: "{}",
      revocation: {
        content: JSON.stringify({ kind: "rule", offer: kind, before: start }),
        jti: null,
        expiresAt: start + 60,
      },
    })
    let finish: () => void = () => undefined
    const held = write(
      async (rows) => {
        await rows.append(entry("early"))
        await new Promise<void>((resolve) => {
          finish = resolve
        })
      },
      { inTurn: false },
    )
    const seen: string[] = []
    let cursor = 0
    const follow = async () => {
      const found = await store.revocations({ cursor, limit: 1000, now: start })
      seen.push(...found.map(({ revocation }) => (revocation as { offer: string }).offer))
      cursor = found.at(-1)?.sequence ?? cursor
    }
    for (let index = 0; index < 100; index++) {
      await write(async (rows) => rows.append(entry(`later-${index}`)), { inTurn: index % 2 === 0 })
      if (index % 10 === 9) await follow()
    }
    expect(seen).toHaveLength(100)
    finish()
    await held
    await follow()
    expect(seen).toHaveLength(101)
    expect(seen.at(-1)).toBe("early")
    expect((await ledgerOf(store)).map(({ kind }) => kind)).toEqual(seen)
    await read(async () => undefined)
    await connections.close()
  })
})

it("MI-06: readers miss no revocation whose COMMIT is slower than 100 that began later", async () => {
  const proxy = await startCutProxy(Number(new URL(database.url).port))
  const url = new URL(database.url)
  url.port = String(proxy.port)
  const [slow, fast] = [await open(url.href), await open()]
  const orders = Array.from({ length: 101 }, () => orderOf())
  await Promise.all(orders.map((order) => fast.redeem(order)))
  const [first, ...others] = orders.map(({ grant }) => grant.id)
  const end = (store: Store, grantId = "") =>
    store.revoke({ target: { kind: "grant", grantId }, by: "operator", note: null, now: start })
  const seen: number[] = []
  const follow = async () => {
    const found = await fast.revocations({ cursor: seen.at(-1) ?? 0, limit: 1000, now: start })
    seen.push(...found.map(({ sequence }) => sequence))
  }
  const held = proxy.holdNext()
  const early = end(slow, first)
  const sendOn = await held
  const late = Promise.all(others.map((id) => end(fast, id)))
  // Either they wait for the first, or they have overtaken it.
  while ((await fetchValue(waiting)) === "0" && seen.length < 100) await follow()
  await follow()
  sendOn()
  await Promise.all([early, late])
  await follow()
  expect(seen).toHaveLength(101)
  await slow.close()
  await proxy.close()
})

it.each<[string, () => OrderChanges, string]>([
  ["payer", () => ({ payer: randomAddress(), intake: { balance: 10_000n } }), "insufficient_funds"],
  ["hash", () => ({ grant: { idempotencyHash: "ab".repeat(32) } }), "idempotency_conflict"],
  ["key", () => ({ key: "exact:84532:same" }), "repeated"],
])("two orders of one turn that share a %s are decided one after the other", async (_, changesOf, second) => {
  const store = await open()
  const changes = changesOf()
  const orders = [orderOf(changes), orderOf(changes), ...Array.from({ length: 10 }, () => orderOf())]
  const outcomes = await Promise.all(orders.map((order) => store.redeem(order)))
  expect(outcomes.map((outcome) => ("reason" in outcome ? outcome.reason : outcome.kind))).toEqual([
    "redeemed",
    second,
    ...Array(10).fill("redeemed"),
  ])
})

it("a transaction whose statement failed is not taken for committed", async () => {
  const address = readAddress(database.url, undefined)
  const connections = createConnections(pg, address, { limit: 1, deadlineMs: 5000 })
  const { read } = createTransactions(connections, 5000)
  const work = read(async (rows) => {
    await Promise.resolve(rows.all(ledgerVerbQueries.after, { after: "no number", limit: 1 })).catch(
      () => undefined,
    )
  })
  await expect(work).rejects.toThrow("answered COMMIT with ROLLBACK")
  await connections.close()
})

describe("a store", () => {
  it("MI-10: counts the unsettled value of two processes in one sum", async () => {
    const both = [await open(), await open()]
    await Promise.all(Array.from({ length: 60 }, (_, index) => both[index % 2]?.redeem(orderOf())))
    expect(await both[0]?.exposure()).toMatchObject({ unsettled: 600_000n, queued: 60 })
  })

  it("answers that the database is held, once the deadline has passed, and wrote nothing", async () => {
    const store = await open(database.url, { deadlineMs: 300 })
    const client = await connect()
    await client.query("BEGIN; LOCK TABLE redemptions")
    await expect(store.redeem(orderOf())).rejects.toBeInstanceOf(StoreUnavailable)
    await client.query("ROLLBACK")
    expect(await ledgerOf(store)).toEqual([])
    expect(await store.redeem(orderOf())).toMatchObject({ kind: "redeemed" })
  })

  it("opens no more connections than it may", async () => {
    const store = await open(database.url, { connections: 3 })
    await Promise.all(Array.from({ length: 200 }, (_, key) => store.recall({ key: String(key) })))
    expect(
      await fetchValue(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ticket402'",
      ),
    ).toBe("3")
  })

  it("MI-10: lends the units of a grant once to two processes that ask at the same time", async () => {
    const [one, other] = [await open(), await open()]
    const order = orderOf({ grant: { meter: { given: 100, left: 100, held: 0, spent: 0 } } })
    await one.redeem(order)
    const taken = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        (index % 2 ? one : other).takeUnits({
          grantId: order.grant.id,
          holder: `gate-${index % 2}`,
          cost: 1,
          wanted: 1,
          reports: [],
          now: start,
        }),
      ),
    )
    expect(taken.reduce((sum, { slice }) => sum + (slice?.units ?? 0), 0)).toBe(100)
  })
})
