import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parseConfig } from "../../server/config/config.ts"
import { openStore } from "../../server/stores/index.ts"
import { secretHeader } from "../../shared/oauth/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { freePort } from "../support/free-port.ts"
import { acceptedOf } from "../support/payments.ts"
import {
  askStatus,
  eventually,
  openService,
  postToken,
  preparePurchase,
  retryHeaders,
  type TestService,
  withoutBlocks,
} from "../support/service.ts"
import { spawnService } from "../support/spawn-service.ts"

const price = 10_000n

let chain: LocalChain
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
})
afterAll(() => chain.stop())

/** Sends `count` payments of different payers at once; refused ones are resent until all settle. */
async function buyAtOnce(service: TestService, count: number) {
  const customers = await Promise.all(Array.from({ length: count }, () => service.customer(price)))
  const purchases = await Promise.all(customers.map((customer) => preparePurchase(service, customer)))
  const answers = await withoutBlocks(chain, () =>
    Promise.all(purchases.map((purchase) => postToken(service.url, purchase.headers))),
  )
  for (const [at, purchase] of purchases.entries())
    if (answers[at]?.status !== 200)
      await eventually(
        () => postToken(service.url, retryHeaders(purchase)),
        ({ status }) => status === 200,
      )
  await eventually(
    () => service.balanceOf(service.payTo.address),
    (balance) => balance === price * BigInt(count),
  )
  return answers
}

describe("unsettled value", () => {
  it("SET-04: stays within the total over all wallets; later payers settle first", async () => {
    const service = await openService({
      chain,
      config: { limits: { perPayer: "1", total: "0.03" } },
      issuer: { waits: { seconds: 0.2 } },
    })
    const answers = await buyAtOnce(service, 8)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3)
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expect(answer).toMatchObject({
        status: 202,
        body: { settlement: { state: "pending" }, next: { action: "retry" } },
      })
      expect(answer.body).not.toHaveProperty("access_token")
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0)
    }
    await service.close()
  })

  it("SET-04: is one payment for a new payer until one has settled", async () => {
    const service = await openService({
      chain,
      config: { limits: {} },
      issuer: { waits: { seconds: 0.1 } },
    })
    const customer = await service.customer()
    const purchase = await preparePurchase(service, customer)
    const buy = async () => postToken(service.url, (await preparePurchase(service, customer)).headers)
    const trusted = await withoutBlocks(chain, async () => [
      await postToken(service.url, purchase.headers),
      await buy(),
    ])
    expect(trusted.map(({ status }) => status)).toEqual([200, 202])
    await eventually(
      () => askStatus(service.url, { [secretHeader]: purchase.secret }),
      ({ body }) => body.grant.settlement.state === "settled",
    )
    const known = await withoutBlocks(chain, async () => [await buy(), await buy()])
    expect(known.map(({ status }) => status)).toEqual([200, 200])
    await service.close()
  })

  it("includes no payment over the limit per payment, which is offered settle-first", async () => {
    const service = await openService({ chain, config: { limits: { perPayment: "0.009" } } })
    const quoted = (await postToken(service.url, {})).body
    expect(quoted.accepts[0].extra.paymentFlow).toBe("upfront")
    expect(quoted.extensions["access-token"].info.offers[service.accepted.extra?.offer ?? ""].settle).toBe(
      "first",
    )
    const sold = await postToken(
      service.url,
      (await preparePurchase(service, await service.customer())).headers,
    )
    expect(sold.body.grant.settlement.state).toBe("settled")
    await service.close()
  })

  it("SET-40, DOS-05: is refused at a full queue without losing a payment", async () => {
    const service = await openService({ chain, config: { limits: { queue: 2, perPayer: "1", total: "1" } } })
    const answers = await buyAtOnce(service, 5)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2)
    const refused = answers.filter(({ status }) => status !== 200)
    expect(refused.map(({ body }) => body.reason)).toEqual(["queue_full", "queue_full", "queue_full"])
    await service.close()
  })
})

describe("the ledger", () => {
  it("SET-45: lists exactly the payments that arrived as settled", async () => {
    const service = await openService({ chain })
    await buyAtOnce(service, 6)
    const store = await openStore(service.config.database ?? "")
    const entries = await eventually(
      () => store.entries({ after: 0, limit: 100 }),
      (all) => all.filter(({ kind }) => kind === "settled").length === 6,
    )
    const settled = entries.filter((entry) => entry.kind === "settled")
    expect(new Set(settled.map(({ redemptionKey }) => redemptionKey)).size).toBe(6)
    const sum = settled.reduce((total, { facts }) => total + BigInt(facts.value), 0n)
    expect(sum).toBe(await service.balanceOf(service.payTo.address))
    await store.close()
    await service.close()
  })

  it("IDM-10: has one grant, entry and payment after a kill right after the answer", async () => {
    const service = await openService({ chain })
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const config = { ...service.config, issuer: url, database: `sqlite:${join(service.folder, "killed.db")}` }
    const first = parseConfig(config).offers[0]!
    const customer = await service.customer(2n * price)
    const purchase = await preparePurchase({ accepted: acceptedOf(first), url }, customer)

    const child = await spawnService({ config, port })
    expect((await postToken(url, purchase.headers)).status).toBe(200)
    await child.kill("SIGKILL")
    const store = await openStore(config.database)
    const books = async (kind: string) =>
      (await store.entries({ after: 0, limit: 100 })).filter((entry) => entry.kind === kind)
    expect(await books("redeemed")).toHaveLength(1)

    const again = await spawnService({ config, port })
    const retried = await postToken(url, retryHeaders(purchase))
    expect(retried.body.grant.id).toBe((await books("redeemed"))[0]!.grantId)
    await eventually(
      () => books("settled"),
      (settled) => settled.length === 1,
    )
    expect(await books("redeemed")).toHaveLength(1)
    expect(await service.balanceOf(customer.address)).toBe(price)
    await again.kill("SIGTERM")
    await store.close()
    await service.close()
  })
})
