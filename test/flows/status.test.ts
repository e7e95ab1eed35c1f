import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { idempotencyHeader, secretHeader } from "../../shared/oauth/messages.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { randomHex32, signPayment } from "../support/payments.ts"
import { eventually, openService, postToken, preparePurchase, type TestService } from "../support/service.ts"

let service: TestService
beforeAll(async () => {
  service = await openService()
})
afterAll(() => service.close())

async function status(headers: Record<string, string>) {
  const response = await fetch(`${service.url}/token/status`, { headers })
  return { status: response.status, body: await response.json() }
}

describe("the status of a grant", () => {
  it("is returned for its token or secret, without any token", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    const bought = await postToken(service.url, purchase.headers)
    const byToken = { authorization: `Bearer ${bought.body.access_token}` }
    const bySecret = { [secretHeader]: purchase.secret }
    const settled = await eventually(
      () => status(bySecret),
      ({ body }) => body.grant.settlement.state === "settled",
    )
    expect(settled).toEqual({
      status: 200,
      body: {
        scope: "movies:read",
        grant: {
          ...bought.body.grant,
          settlement: {
            state: "settled",
            network: "eip155:11155111",
            transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
          },
        },
      },
    })
    expect(await status(byToken)).toEqual(settled)
  })

  it("is returned to a plain client for its idempotency key", async () => {
    const { payload } = await signPayment({ accepted: service.accepted, account: await service.customer() })
    const key = { [idempotencyHeader]: randomHex32() }
    const bought = await postToken(service.url, { ...key, [paymentSignatureHeader]: encodeHeader(payload) })
    expect((await status(key)).body.grant.id).toBe(bought.body.grant.id)
  })

  it("is not returned for the commitment, which logs of the purchase contain", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    await postToken(service.url, purchase.headers)
    expect(await status({})).toMatchObject({ status: 401, body: { reason: "proof_missing" } })
    expect(await status(purchase.headers)).toMatchObject({ status: 401 })
    expect(await status({ authorization: "Bearer abc" })).toMatchObject({ status: 401 })
    const commitment = purchase.headers["Ticket402-Commitment"] ?? ""
    expect(await status({ [secretHeader]: commitment })).toMatchObject({
      status: 404,
      body: { reason: "grant_unknown", next: { action: "retry" } },
    })
  })
})
