import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { auditBooks } from "../../server/books/audit.ts"
import { openPostgresStore } from "../../server/stores/postgres/store.ts"
import { startCutProxy } from "../support/postgres/cut-proxy.ts"
import { createDatabase, type TestDatabase } from "../support/postgres/run.ts"
import { type PostgresServer, startPostgres } from "../support/postgres/server.ts"
import {
  type Answer,
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

const price = 10_000n

const claimsOf = ({ body }: Answer) =>
  JSON.parse(Buffer.from(body.access_token.split(".")[1], "base64url").toString())

/** Every sale of the books has its money on the chain, and the books are sound. */
async function expectSettled(service: TestService, url: string, sales: number): Promise<void> {
  const store = await openPostgresStore({ url })
  try {
    await eventually(
      () => store.redemptions({ state: null, after: 0, limit: 1000 }),
      (found) =>
        found.length === sales &&
        found.every(({ redemption }) => ["paid", "final"].includes(redemption.state)),
      60,
    )
    expect(await auditBooks(store)).toEqual([])
    expect(await service.balanceOf(service.payTo.address)).toBe(price * BigInt(sales))
  } finally {
    await store.close()
  }
}

describe("a service on PostgreSQL", () => {
  let database: TestDatabase
  let service: TestService
  beforeAll(async () => {
    database = await createDatabase()
    service = await openService({ config: { database: database.url } })
  })
  afterAll(async () => {
    await service?.close()
    await database?.drop()
  })

  it("sells, refreshes, settles and revokes", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    const sold = await postToken(service.url, purchase.headers)
    expect(sold.status).toBe(200)
    expect((await watch(service.url, sold.body.access_token)).status).toBe(200)
    const claims = claimsOf(sold)
    expect(claimsOf(await postToken(service.url, retryHeaders(purchase)))).toEqual(claims)
    await expectSettled(service, database.url, 1)
    const refreshed = await refresh(service.url, sold.body.refresh_token)
    expect(refreshed.status).toBe(200)
    const store = await openPostgresStore({ url: database.url })
    const target = { kind: "grant", grantId: claims.grant } as const
    const now = Math.floor(Date.now() / 1000)
    expect(await store.revoke({ target, by: "operator", note: null, now })).toEqual({ revoked: 1 })
    await store.close()
    await eventually(
      () => watch(service.url, refreshed.body.access_token),
      ({ status }) => status === 401 || status === 402,
    )
  })
})

describe("a service whose PostgreSQL fails", () => {
  let server: PostgresServer
  let service: TestService
  const open = async (url: string) => {
    service = await openService({ config: { database: url }, issuer: { worker: { leaseSeconds: 5 } } })
  }
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  /** Posts until there is a token: first the payment, then with the proof of who paid. */
  async function buy(): Promise<Answer["body"]> {
    const purchase = await preparePurchase(service, await service.customer())
    const first = await postToken(service.url, purchase.headers)
    if (first.status === 200) return first.body
    const { body } = await eventually(
      () => postToken(service.url, { ...purchase.headers, ...retryHeaders(purchase) }),
      ({ status }) => status === 200,
      60,
    )
    return body
  }

  it("MI-02: kill -9 of the server under sales loses none and doubles none", async () => {
    await open(server.url())
    const buyers = Array.from({ length: 24 }, () => buy())
    await Promise.race(buyers)
    await server.kill()
    await server.restart()
    const tokens = new Set((await Promise.all(buyers)).map(({ access_token }) => access_token))
    expect(tokens.size).toBe(24)
    await expectSettled(service, server.url(), 24)
    await service.close()
  })

  it("MI-02: a connection cut inside COMMIT costs no sale, and the buyer sees nothing of it", async () => {
    const proxy = await startCutProxy(server.port)
    await server.run("CREATE DATABASE cut")
    const url = new URL(server.url("cut"))
    url.port = String(proxy.port)
    await open(url.href)
    for (const cut of ["before", "after", "before", "after"] as const) {
      const purchase = await preparePurchase(service, await service.customer())
      const happened = proxy.cutNext(cut)
      expect((await postToken(service.url, purchase.headers)).status).toBe(200)
      await happened
    }
    await expectSettled(service, server.url("cut"), 4)
    await service.close()
    await proxy.close()
  })
})
