import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { IssuerOptions } from "../../server/app/issuer-options.ts"
import type { ConfigInput } from "../../server/config/config.ts"
import { StoreUnavailable } from "../../server/ports/store.ts"
import { secretHeader } from "../../shared/oauth/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { runReconcile } from "../support/ledger.ts"
import { storedIn } from "../support/offers.ts"
import { randomAccount } from "../support/payments.ts"
import {
  askStatus,
  cancelPayment,
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

let chain: LocalChain
let folder: string
let shared: Partial<ConfigInput>
let instances: TestService[] = []

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
})
afterAll(() => chain.stop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "instances-"))
  shared = {
    issuer: "http://127.0.0.1:8402",
    payTo: randomAccount().address,
    ...storedIn(folder),
  }
})
afterEach(async () => {
  await chain.request("evm_setAutomine", [true])
  await Promise.all(instances.map((instance) => instance.close()))
  instances = []
  await rm(folder, { recursive: true, force: true })
})

/** Two services with the same store, keys and relayer. */
async function open(
  options: readonly [IssuerOptions, IssuerOptions],
  config: Partial<ConfigInput> = {},
): Promise<readonly [TestService, TestService]> {
  for (const issuer of options)
    instances.push(await openService({ chain, issuer, config: { ...shared, ...config } }))
  const [a, b] = instances
  if (!a || !b) throw new Error("an instance is missing")
  return [a, b]
}
const prepare = async (at: TestService) =>
  preparePurchase({ accepted: at.accepted, url: String(shared.issuer) }, await at.customer())

describe("two instances on one database", () => {
  it("MI-02: resume a sale at one after the other lost the store", async () => {
    let isLost = false
    const onStep = (step: string) => {
      if (!isLost || step !== "payment-redeemed") return
      throw new StoreUnavailable("the database went away")
    }
    const [a, b] = await open([{ onStep }, {}])
    const purchase = await prepare(a)
    isLost = true
    const lost = await postToken(a.url, purchase.headers)
    expect(lost).toMatchObject({
      status: 503,
      body: { reason: "store_unavailable", next: { action: "retry" } },
    })
    const retried = await eventually(
      () => postToken(b.url, retryHeaders(purchase)),
      ({ body }) => body.grant?.settlement.state === "settled",
    )
    expect(retried.status).toBe(200)
    expect(retried.headers.get("idempotent-replayed")).toBe("true")
    expect((await runReconcile(a)).at(-2)).toMatchObject({ booked: "10000", arrived: "10000" })
  })

  it("MI-06: refuse a token within 5 s after the other ended its grant", async () => {
    const [a, b] = await open([{}, {}])
    const purchase = await prepare(a)
    const { body: sold } = await postToken(a.url, purchase.headers)
    const { body: second } = await refresh(a.url, sold.refresh_token)
    const { body: next } = await refresh(a.url, second.refresh_token)
    expect((await watch(b.url, next.access_token)).status).toBe(200)
    // An old refresh token that is used again without the secret ends the grant.
    expect((await refresh(a.url, sold.refresh_token)).body.reason).toBe("refresh_token_reused")
    const endedAt = performance.now()
    await eventually(
      () => watch(b.url, next.access_token),
      ({ status }) => status !== 200,
    )
    expect(performance.now() - endedAt).toBeLessThan(5000)
  })

  it("TOK-21, MI-06: refuse a failed settlement at gate, refresh and status within 5 s", async () => {
    const failures: number[] = []
    const warn = (_: unknown, message: string) => {
      if (message === "a settlement failed") failures.push(performance.now())
    }
    const quiet = { debug() {}, info() {}, error() {} }
    const [a, b] = await open([{ log: { ...quiet, warn } }, { log: { ...quiet, warn } }])
    const account = await a.customer(10_000n)
    await chain.request("evm_setAutomine", [false])
    const seller = { accepted: a.accepted, url: String(shared.issuer) }
    const purchase = await preparePurchase(seller, account)
    const { body: sold } = await postToken(a.url, purchase.headers)
    const { body: next } = await refresh(b.url, sold.refresh_token)
    for (const { url } of [a, b]) expect((await watch(url, next.access_token)).status).toBe(200)
    await cancelPayment(a, account, purchase.headers)
    await chain.request("evm_setAutomine", [true])

    await eventually(
      async () => failures.length,
      (count) => count > 0,
      30,
    )
    const isRefused = async () => {
      const gates = await Promise.all([a, b].map(({ url }) => watch(url, next.access_token)))
      const states = await Promise.all(
        [a, b].map(({ url }) => askStatus(url, { [secretHeader]: purchase.secret })),
      )
      return [
        ...gates.map(({ body }) => body.error),
        ...states.map(({ body }) => body.grant.settlement.state),
        (await refresh(b.url, next.refresh_token)).body.reason,
      ].join()
    }
    const everywhere = "settlement_failed,settlement_failed,failed,failed,settlement_failed"
    await eventually(isRefused, (found) => found === everywhere, 5)
    expect(performance.now() - (failures[0] ?? 0)).toBeLessThan(5000)
  }, 60_000)

  it("MI-09: settle every payment once with clocks half a minute apart", async () => {
    const ahead = { now: () => Math.floor(Date.now() / 1000) + 30 }
    const [a, b] = await open([{}, ahead])
    const nonces = async () =>
      Number(await chain.request("eth_getTransactionCount", [a.issuer.relayer, "latest"]))
    const purchases = await Promise.all(Array.from({ length: 6 }, () => prepare(a)))
    const sold = await Promise.all(
      purchases.map(({ headers }, at) => postToken(at % 2 === 0 ? a.url : b.url, headers)),
    )
    expect(sold.map(({ status }) => status)).toEqual(purchases.map(() => 200))
    for (const purchase of purchases)
      await eventually(
        () => postToken(a.url, retryHeaders(purchase)),
        ({ body }) => body.grant?.settlement.state === "settled",
        30,
      )
    expect(await nonces()).toBeLessThanOrEqual(purchases.length)
    expect((await runReconcile(a)).at(-1)).toMatchObject({ difference: "0", code: 0 })
    expect((await runReconcile(a)).at(-2)).toMatchObject({ arrived: "60000" })
  })

  it("MI-10: share the limit on unsettled value", async () => {
    const shortWaits = { waits: { seconds: 0.2 } }
    const [a, b] = await open([shortWaits, shortWaits], { limits: { perPayer: "1", total: "0.03" } })
    const purchases = await Promise.all(Array.from({ length: 6 }, () => prepare(a)))
    await chain.request("evm_setAutomine", [false])
    const answers = await Promise.all(
      purchases.map(({ headers }, at) => postToken(at % 2 === 0 ? a.url : b.url, headers)),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(3)
  })
})
