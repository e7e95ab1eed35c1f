import { decodeFunctionData, type Hex } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { commitmentHeader, secretHeader } from "../../shared/oauth/messages.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { openingOf } from "../../shared/x402/commitment.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { testUsdc } from "../support/contracts/artifacts/test-usdc.ts"
import { randomHex32, signPayment } from "../support/payments.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  submitByStranger,
  type TestService,
} from "../support/service.ts"

const price = 10_000n

let chain: LocalChain
let service: TestService
/** Sells the same offer to the same payTo on the same chain. */
let sibling: TestService
let ahead = 0
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  service = await openService({ chain, issuer: { now: () => Math.floor(Date.now() / 1000) + ahead } })
  sibling = await openService({ chain, config: { payTo: service.payTo.address } })
})
afterAll(async () => {
  await sibling.close()
  await service.close()
  await chain.stop()
})

const pay = (payload: unknown, headers: Record<string, string> = {}, url = service.url) =>
  postToken(url, { [paymentSignatureHeader]: encodeHeader(payload), ...headers })

const hasPaid = (address: Hex, left: bigint) =>
  eventually(
    () => service.balanceOf(address),
    (balance) => balance === left,
  )

describe("another party holding a payment", () => {
  it("RPL-16: cannot redeem it from chain data after it settled", async () => {
    const customer = await service.customer(price)
    const purchase = await preparePurchase(service, customer)
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    const settled = await eventually(
      () => postToken(service.url, retryHeaders(purchase)),
      ({ body }) => body.grant.settlement.state === "settled",
    )
    const { transaction } = settled.body.grant.settlement
    const { input } = (await chain.request("eth_getTransactionByHash", [transaction])) as { input: Hex }
    const { args } = decodeFunctionData({ abi: testUsdc.abi, data: input })
    expect(args).toContain(purchase.transfer.nonce)

    expect((await pay(purchase.payload)).status).toBe(409)
    const own = randomHex32()
    expect((await pay(purchase.payload, { [commitmentHeader]: openingOf(own) })).status).toBe(409)
    expect((await pay(purchase.payload, { [secretHeader]: own })).status).toBe(409)
  })

  it("RPL-16: cannot redeem it after it settled outside the service", async () => {
    const customer = await service.customer(price)
    const { payload, transfer } = await signPayment({ accepted: service.accepted, account: customer })
    await submitByStranger(chain, exactEip3009.settlementCall(chain.asset, transfer).data)
    await hasPaid(customer.address, 0n)
    expect(await pay(payload)).toMatchObject({ status: 400, body: { reason: "authorization_used" } })
  })

  it("RPL-17: may redeem it first as a plain client; the chain is charged once", async () => {
    const customer = await service.customer(2n * price)
    const purchase = await preparePurchase(service, customer)
    const first = await pay(purchase.payload)
    expect(first.status).toBe(200)
    expect(first.body.refresh_token).toBeUndefined()
    expect((await postToken(service.url, purchase.headers)).status).toBe(409)
    expect((await postToken(service.url, retryHeaders(purchase))).status).toBe(409)
    await hasPaid(customer.address, price)
  })

  it("RPL-18: cannot redeem it at another service with the same payTo", async () => {
    const customer = await service.customer(2n * price)
    expect(sibling.accepted).toEqual(service.accepted)
    const { payload } = await signPayment({ accepted: service.accepted, account: customer })
    expect((await pay(payload)).status).toBe(200)
    await hasPaid(customer.address, price)
    expect(await pay(payload, {}, sibling.url)).toMatchObject({
      status: 400,
      body: { reason: "authorization_used" },
    })
  })

  it("RPL-18: cannot redeem it at another service than it commits to", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    expect((await postToken(sibling.url, purchase.headers)).body.reason).toBe("commitment_mismatch")
  })

  it("RPL-25: cannot repeat a refresh without the secret, and the try ends the grant", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    const { body } = await postToken(service.url, purchase.headers)
    const secret = { [secretHeader]: purchase.secret }
    const next = await refresh(service.url, body.refresh_token)
    for (let times = 0; times < 2; times++) {
      const again = await refresh(service.url, body.refresh_token, secret)
      expect(again.headers.get("idempotent-replayed")).toBe("true")
      expect(again.body.refresh_token).toBe(next.body.refresh_token)
    }
    const newest = await refresh(service.url, next.body.refresh_token)
    const stolen = await refresh(service.url, body.refresh_token)
    expect(stolen).toMatchObject({ status: 400, body: { reason: "refresh_token_reused" } })
    expect((await refresh(service.url, newest.body.refresh_token)).status).toBe(400)
  })
})

describe("a retry", () => {
  it("IDM-06: with another payment's Idempotency-Key conflicts and redeems nothing", async () => {
    const key = { "Idempotency-Key": `key-${randomHex32()}` }
    const first = await signPayment({ accepted: service.accepted, account: await service.customer() })
    const other = await signPayment({ accepted: service.accepted, account: await service.customer() })
    expect((await pay(first.payload, key)).status).toBe(200)
    expect((await pay(first.payload, key)).headers.get("idempotent-replayed")).toBe("true")
    expect(await pay(other.payload, key)).toMatchObject({
      status: 409,
      body: { reason: "idempotency_conflict", next: { action: "stop" } },
    })
    expect((await pay(other.payload)).status).toBe(200)
  })

  it("IDM-04: extends neither the token nor the grant", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    const first = await postToken(service.url, purchase.headers)
    try {
      ahead = 120
      const late = await postToken(service.url, retryHeaders(purchase))
      expect(late).toMatchObject({ status: 200, body: { access_token: expect.any(String), expires_in: 0 } })
      expect(late.body.grant).toMatchObject({
        id: first.body.grant.id,
        expires_at: first.body.grant.expires_at,
      })
      ahead = 3601
      expect(await postToken(service.url, retryHeaders(purchase))).toMatchObject({
        status: 400,
        body: { reason: "grant_over", next: { action: "buy" } },
      })
    } finally {
      ahead = 0
    }
  })

  it("RPL-06: with a claimed nonce conflicts even after window and grant have ended", async () => {
    const customer = await service.customer()
    const purchase = await preparePurchase(service, customer)
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    await hasPaid(customer.address, 1_000_000n - price)
    try {
      ahead = 400 * 24 * 3600
      const validBefore = BigInt(Math.floor(Date.now() / 1000) + ahead + 600)
      const anew = await preparePurchase(service, customer, {
        secret: purchase.secret,
        terms: { validBefore },
      })
      expect(anew.transfer.nonce).toBe(purchase.transfer.nonce)
      for (const headers of [anew.headers, retryHeaders(anew)])
        expect((await postToken(service.url, headers)).status).toBe(409)
    } finally {
      ahead = 0
    }
  })
})
