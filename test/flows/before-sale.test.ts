import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { BeforeSale, Sale } from "../../server/core/sale.ts"
import {
  openService,
  postToken,
  preparePurchase,
  retryHeaders,
  type TestService,
} from "../support/service.ts"

let service: TestService
let decide: BeforeSale = () => undefined
const asked: Sale[] = []

beforeAll(async () => {
  service = await openService({
    issuer: {
      beforeSale: (sale) => {
        asked.push(sale)
        return decide(sale)
      },
    },
  })
})
afterAll(() => service.close())

async function buy() {
  const account = await service.customer()
  const purchase = await preparePurchase(service, account)
  return { account, purchase, answer: await postToken(service.url, purchase.headers) }
}

describe("a function before the sale", () => {
  it("sees the offer, the payer and the value, once a sale", async () => {
    decide = () => undefined
    const { account, purchase, answer } = await buy()
    expect(answer.status).toBe(200)
    expect(asked).toEqual([
      {
        ...{ offer: "hour", scope: "movies:read", grant: null, value: 10_000n },
        ...{ network: "eip155:11155111", asset: service.accepted.asset.toLowerCase() },
        payer: account.address.toLowerCase(),
      },
    ])
    expect((await postToken(service.url, retryHeaders(purchase))).status).toBe(200)
    expect(asked).toHaveLength(1)
  })

  it("refuses a sale with its reason, and the payment stays unused", async () => {
    decide = () => ({ refuse: "Sold out until noon." })
    const { purchase, answer } = await buy()
    expect(answer).toMatchObject({ status: 400, body: { reason: "sale_refused" } })
    expect(answer.body.error_description).toContain("Sold out until noon.")
    decide = () => undefined
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
  })

  it("that throws, answers nonsense or takes too long sells nothing, and the buyer may come again", async () => {
    for (const each of [
      () => {
        throw new Error("away")
      },
      () => Promise.reject(new Error("away")),
      () => ({ refuse: 'with "quotes"' }),
      () => new Promise<undefined>(() => {}),
    ] satisfies BeforeSale[]) {
      decide = each
      const { purchase, answer } = await buy()
      expect(answer).toMatchObject({
        status: 503,
        body: { reason: "sale_undecided", next: { action: "retry" } },
      })
      decide = () => undefined
      expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    }
  })
})
