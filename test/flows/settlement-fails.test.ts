import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
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

let service: TestService
beforeAll(async () => {
  service = await openService()
})
afterAll(() => service.close())

describe("failed settlement", () => {
  it("TOK-21: ends the grant, and the gate refuses its tokens", async () => {
    const customer = await service.customer(10_000n)
    // The payer cancels between the sale and the next block.
    await service.chain.request("evm_setAutomine", [false])
    const purchase = await preparePurchase(service, customer)
    const bought = await postToken(service.url, purchase.headers)
    expect(bought.status).toBe(200)
    expect((await watch(service.url, bought.body.access_token)).status).toBe(200)
    await cancelPayment(service, customer, purchase.headers)
    await service.chain.request("evm_setAutomine", [true])

    const refused = await eventually(
      () => watch(service.url, bought.body.access_token),
      (answer) => answer.status !== 200,
      60,
    )
    expect(refused.status).toBe(402)
    expect(refused.body.error).toBe("settlement_failed")
    expect(refused.headers.get("www-authenticate")).toContain('error="invalid_token"')

    const again = await refresh(service.url, bought.body.refresh_token)
    expect(again).toMatchObject({
      status: 400,
      body: { reason: "settlement_failed", next: { action: "stop" } },
    })
    const retried = await postToken(service.url, retryHeaders(purchase))
    expect(retried).toMatchObject({ status: 400, body: { reason: "settlement_failed" } })
    expect((await postToken(service.url, purchase.headers)).status).toBe(409)
  })

  it("SET-01: is prevented by refusing a payer without balance", async () => {
    const purchase = await preparePurchase(service, await service.customer(9_999n))
    expect(await postToken(service.url, purchase.headers)).toMatchObject({
      status: 400,
      body: { error: "invalid_grant", reason: "insufficient_funds", next: { action: "stop" } },
    })
  })

  it("SET-02: is prevented by accepting one of many payments from one balance", async () => {
    const customer = await service.customer(10_000n)
    const purchases = await Promise.all(Array.from({ length: 20 }, () => preparePurchase(service, customer)))
    const answers = await Promise.all(purchases.map((purchase) => postToken(service.url, purchase.headers)))
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
    const reasons = new Set(
      answers.filter((answer) => answer.status !== 200).map((answer) => answer.body.reason),
    )
    expect([...reasons].every((reason) => reason === "insufficient_funds")).toBe(true)
  })
})
