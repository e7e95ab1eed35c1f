import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { signPayment } from "../support/payments.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type TestService,
} from "../support/service.ts"
import { spellings } from "../support/spellings.ts"

let service: TestService
beforeAll(async () => {
  service = await openService()
})
afterAll(() => service.close())

const idOf = (answer: { body: { grant?: { id: string } } }) => answer.body.grant?.id

describe("a payment is redeemed once", () => {
  it("RPL-01: the same payment sent twice gets one token", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    const again = await postToken(service.url, purchase.headers)
    expect(again).toMatchObject({
      status: 409,
      body: { error: "authorization_conflict", reason: "authorization_conflict", next: { action: "stop" } },
    })
    expect(again.body.access_token).toBeUndefined()
  })

  it("RPL-02: fifty identical concurrent requests make one grant and one transfer", async () => {
    const customer = await service.customer(1_000_000n)
    const before = await service.balanceOf(service.payTo.address)
    const purchase = await preparePurchase(service, customer)
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => postToken(service.url, purchase.headers)),
    )
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
    expect(answers.filter((answer) => answer.status === 409)).toHaveLength(49)
    await eventually(
      () => service.balanceOf(customer.address),
      (balance) => balance < 1_000_000n,
    )
    expect(await service.balanceOf(customer.address)).toBe(990_000n)
    expect(await service.balanceOf(service.payTo.address)).toBeGreaterThan(before)
  })

  it("RPL-09, RPL-10: one of the four spellings of a signature is accepted and settles", async () => {
    const customer = await service.customer(20_000n)
    const { payload, transfer } = await signPayment({ accepted: service.accepted, account: customer })
    const variants = spellings(transfer.signature).map((signature) => ({
      ...payload,
      payload: { ...(payload.payload as object), signature },
    }))
    const answers = []
    for (const variant of variants.reverse())
      answers.push(await postToken(service.url, { [paymentSignatureHeader]: encodeHeader(variant) }))
    expect(answers.map((answer) => answer.body.reason ?? answer.status)).toEqual([
      "signature_not_canonical",
      "signature_not_canonical",
      "signature_not_canonical",
      200,
    ])
    await eventually(
      () => service.balanceOf(customer.address),
      (balance) => balance === 10_000n,
    )
  })

  it("RPL-13, RPL-14: header and body in any JSON spelling are one payment", async () => {
    const { payload } = await signPayment({ accepted: service.accepted, account: await service.customer() })
    const json = { "content-type": "application/json" }
    const inBody = (payment: unknown) =>
      JSON.stringify({ payment, grant_type: "urn:ticket402:payment" }, null, 2)
    expect((await postToken(service.url, json, inBody(payload))).status).toBe(200)
    const upper = structuredClone(payload) as { payload: { authorization: { nonce: string } } }
    upper.payload.authorization.nonce = `0x${upper.payload.authorization.nonce.slice(2).toUpperCase()}`
    for (const attempt of [
      postToken(service.url, json, inBody({ ...payload, more: 1 })),
      postToken(service.url, json, inBody(upper)),
      postToken(service.url, { [paymentSignatureHeader]: encodeHeader(payload) }),
    ])
      expect((await attempt).status).toBe(409)
  })

  it("IDM-01: a retry with the secret gets the same token without a second settlement", async () => {
    const customer = await service.customer(50_000n)
    const purchase = await preparePurchase(service, customer)
    const first = await postToken(service.url, purchase.headers)
    const retried = await postToken(service.url, retryHeaders(purchase))
    expect(retried.status).toBe(200)
    expect(retried.headers.get("idempotent-replayed")).toBe("true")
    expect(first.headers.get("idempotent-replayed")).toBeNull()
    expect(idOf(retried)).toBe(idOf(first))
    const claims = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString())
    const [a, b] = [claims(first.body.access_token), claims(retried.body.access_token)]
    expect([b.jti, b.exp, b.iat]).toEqual([a.jti, a.exp, a.iat])
    expect((await refresh(service.url, retried.body.refresh_token)).status).toBe(200)
    await eventually(
      () => service.balanceOf(customer.address),
      (balance) => balance < 50_000n,
    )
    expect(await service.balanceOf(customer.address)).toBe(40_000n)
  })

  it("N-3009-2: the same nonce with other content conflicts, even with the secret", async () => {
    const customer = await service.customer()
    const purchase = await preparePurchase(service, customer)
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    const other = await preparePurchase(service, customer, {
      secret: purchase.secret,
      terms: { validBefore: purchase.transfer.validBefore - 1n },
    })
    expect((await postToken(service.url, retryHeaders(other))).status).toBe(409)
  })

  it("a commitment that does not open the nonce is refused and nothing is stored", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    const wrong = { ...purchase.headers, "Ticket402-Commitment": `0x${"1".repeat(64)}` }
    expect((await postToken(service.url, wrong)).body.reason).toBe("commitment_mismatch")
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
  })
})
