import { decodeJwt } from "jose"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClient, verifyReceipt } from "../../client/index.ts"
import {
  commitmentHeader,
  secretHeader,
  tokenExchangeGrantType,
  tokenTypes,
} from "../../shared/oauth/messages.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { commitmentNonce, openingOf } from "../../shared/x402/commitment.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { checkLedger } from "../support/invariants.ts"
import { type Account, acceptedOf, randomHex32, signPayment } from "../support/payments.ts"
import {
  askStatus,
  cancelPayment,
  eventually,
  offer,
  openService,
  postToken,
  preparePurchase,
  refresh,
  type TestService,
  watch,
  withoutBlocks,
} from "../support/service.ts"

let service: TestService

beforeAll(async () => {
  service = await openService({
    config: {
      offers: [
        { ...offer("ten", "movies:read", "0.01"), calls: 10 },
        { ...offer("hundred", "movies:read movies:write", "0.05"), calls: 100 },
        { ...offer("first", "movies:read movies:write", "0.06"), calls: 120, settle: "first" },
      ],
    },
  })
})
afterAll(() => service.close())

const offerOf = (id: string) => {
  const found = service.issuer.config.offers.find((each) => each.id === id)
  if (!found) throw new Error(`no offer ${id}`)
  return acceptedOf(found)
}

/** A grant whose payment is settled. */
async function buy(account: Account) {
  const purchase = await preparePurchase(service, account)
  const { body } = await postToken(service.url, purchase.headers)
  const settled = () => postToken(service.url, { ...purchase.headers, [secretHeader]: purchase.secret })
  await eventually(settled, (answer) => answer.body.grant?.settlement.state === "settled")
  return { ...body, secret: purchase.secret }
}

type Bought = { readonly refresh_token: string; readonly grant: { readonly id: string } }

/** A top-up payment for a grant. */
async function prepareTopUp(
  account: Account,
  bought: Bought,
  id = "ten",
  grant: string | null = bought.grant.id,
) {
  const secret = randomHex32()
  const accepted = offerOf(id)
  const terms = {
    offerRef: accepted.extra?.offer ?? "",
    resource: service.url,
    ...(grant !== null && { grant }),
  }
  const nonce = commitmentNonce(openingOf(secret), terms)
  const { payload } = await signPayment({ accepted, account, terms: { nonce } })
  const headers: Record<string, string> = {
    [paymentSignatureHeader]: encodeHeader(payload),
    [commitmentHeader]: openingOf(secret),
    "content-type": "application/x-www-form-urlencoded",
  }
  return { secret, headers, body: new URLSearchParams({ refresh_token: bought.refresh_token }).toString() }
}
type TopUpRedemption = Awaited<ReturnType<typeof prepareTopUp>>
const send = ({ headers, body }: TopUpRedemption) => postToken(service.url, headers, body)
const repeat = ({ headers, body }: TopUpRedemption, secret: Hex) =>
  postToken(service.url, { ...headers, [secretHeader]: secret }, body)
const write = async (token: string) =>
  (await fetch(`${service.url}/movies`, { method: "POST", headers: { authorization: `Bearer ${token}` } }))
    .status

describe("a top-up", () => {
  it("adds time and calls to its grant, and repeats its answer for its secret", async () => {
    const account = await service.customer()
    const bought = await buy(account)
    const payment = await prepareTopUp(account, bought)
    const answer = await send(payment)
    expect(answer).toMatchObject({
      status: 200,
      body: {
        refresh_token: bought.refresh_token,
        grant: { id: bought.grant.id, calls_remaining: 20, settlement: { state: "pending" } },
      },
    })
    expect(answer.body.grant.expires_at).toBe(bought.grant.expires_at + 3600)
    expect(await watch(service.url, answer.body.access_token)).toMatchObject({ status: 200 })
    const repeated = await repeat(payment, payment.secret)
    expect(repeated.headers.get("idempotent-replayed")).toBe("true")
    expect(repeated.body.grant.expires_at).toBe(answer.body.grant.expires_at)
    // Neither the first payment's secret nor a random one repeats this answer.
    for (const secret of [bought.secret, randomHex32()])
      expect((await repeat(payment, secret)).status, secret).toBeGreaterThanOrEqual(400)
    expect((await send(payment)).status).toBe(409)
    await eventually(
      () => repeat(payment, payment.secret),
      ({ body }) => body.grant?.settlement.state === "settled",
    )
    expect(await service.balanceOf(account.address)).toBe(980_000n)
    expect((await refresh(service.url, bought.refresh_token)).body.grant.calls_remaining).toBeGreaterThan(0)
  })

  it("moves the grant to a larger offer with credit and supersedes older tokens", async () => {
    const account = await service.customer()
    const bought = await buy(account)
    expect(await write(bought.access_token)).toBe(402)
    const answer = await send(await prepareTopUp(account, bought, "hundred"))
    // All ten calls are unused; the elapsed seconds reduce the credit of 20 calls slightly.
    expect(answer).toMatchObject({ status: 200, body: { scope: "movies:read movies:write" } })
    expect(answer.body.grant.calls_remaining).toBeGreaterThanOrEqual(118)
    expect(answer.body.grant.calls_remaining).toBeLessThanOrEqual(120)
    expect(await write(answer.body.access_token)).toBe(201)
    const old = await eventually(
      () => watch(service.url, bought.access_token),
      ({ status }) => status === 402,
    )
    expect(old.body.error).toBe("token_expired")
    const subject = { subject_token: bought.access_token, subject_token_type: tokenTypes.access }
    const derived = await postToken(
      service.url,
      { "content-type": "application/x-www-form-urlencoded" },
      new URLSearchParams({ grant_type: tokenExchangeGrantType, ...subject }).toString(),
    )
    expect(derived).toMatchObject({ status: 400, body: { reason: "subject_token_invalid" } })
  })

  it("RPL-24: is bound to the grant and the offer it was signed for", async () => {
    const account = await service.customer()
    const [one, two] = [await buy(account), await buy(account)]
    const payment = await prepareTopUp(account, one)
    const elsewhere = {
      ...payment,
      body: new URLSearchParams({ refresh_token: two.refresh_token }).toString(),
    }
    expect(await send(elsewhere)).toMatchObject({ status: 400, body: { reason: "commitment_mismatch" } })
    const asPurchase = await postToken(service.url, {
      [paymentSignatureHeader]: String(payment.headers[paymentSignatureHeader]),
      [commitmentHeader]: String(payment.headers[commitmentHeader]),
    })
    expect(asPurchase).toMatchObject({ status: 400, body: { reason: "commitment_mismatch" } })
    const purchase = await prepareTopUp(account, one, "ten", null)
    expect(await send(purchase)).toMatchObject({ status: 400, body: { reason: "commitment_mismatch" } })
  })

  it("needs the current refresh token; an access token alone is refused", async () => {
    const account = await service.customer()
    const bought = await buy(account)
    const payment = await prepareTopUp(account, bought)
    for (const token of [bought.access_token, "nonsense", ""]) {
      const body = new URLSearchParams({ refresh_token: token }).toString()
      expect(await send({ ...payment, body })).toMatchObject({ status: 400 })
    }
    await refresh(service.url, bought.refresh_token)
    expect(await send(payment)).toMatchObject({
      status: 400,
      body: { reason: "refresh_token_stale", next: { action: "refresh" } },
    })
    const { [commitmentHeader]: _, ...bare } = payment.headers
    expect(await send({ ...payment, headers: bare })).toMatchObject({ status: 400 })
    expect(await service.balanceOf(account.address)).toBe(990_000n)
  })

  it("SET-02, TOK-21: is withdrawn within 5 s when unpaid, and its grant lives on", async () => {
    const account = await service.customer(60_000n)
    const bought = await buy(account)
    const payment = await prepareTopUp(account, bought, "hundred")
    const answer = await withoutBlocks(service.chain, async () => {
      const sent = await send(payment)
      expect(sent).toMatchObject({ status: 200 })
      expect(await write(sent.body.access_token)).toBe(201)
      await cancelPayment(service, account, payment.headers)
      return sent
    })
    await eventually(
      () => askStatus(service.url, { [secretHeader]: payment.secret }),
      ({ body }) => body.grant.settlement.state === "failed",
    )
    const from = performance.now()
    await eventually(
      () => write(answer.body.access_token),
      (status) => status === 402,
    )
    expect((performance.now() - from) / 1000).toBeLessThan(5)
    expect(await repeat(payment, payment.secret)).toMatchObject({ body: { reason: "settlement_failed" } })
    const after = await refresh(service.url, bought.refresh_token)
    expect(after).toMatchObject({
      status: 200,
      body: { scope: "movies:read", grant: { id: bought.grant.id, settlement: { state: "settled" } } },
    })
    expect(after.body.grant.expires_at).toBe(bought.grant.expires_at)
    expect(after.body.grant.calls_remaining).toBeLessThanOrEqual(10)
    expect(await watch(service.url, after.body.access_token)).toMatchObject({ status: 200 })
  })

  it("settled first adds everything on settlement and nothing before", async () => {
    const account = await service.customer()
    const bought = await buy(account)
    const answer = await send(await prepareTopUp(account, bought, "first"))
    expect(answer).toMatchObject({
      status: 200,
      body: { scope: "movies:read movies:write", grant: { settlement: { state: "settled" } } },
    })
    expect(decodeJwt(answer.body.access_token)).toMatchObject({ settled: true })
    expect(await write(answer.body.access_token)).toBe(201)
  })

  it("is bought by the client for a held grant within the budget", async () => {
    const account = await service.customer()
    const client = createClient({
      account,
      budget: { perPurchase: "0.05", perDay: "0.08" },
      networks: [service.accepted.network],
      // The service asks to wait 5 s while the previous payment is unsettled.
      delay: () => new Promise((resolve) => setTimeout(resolve, 50)),
    })
    const url = `${service.url}/movies/1`
    await expect(client.topUp(url, { offer: "ten" })).rejects.toMatchObject({ code: "grant_missing" })
    expect((await client.fetch(url)).status).toBe(200)
    const [bought] = await client.grants()
    await eventually(
      async () => service.balanceOf(service.payTo.address),
      (now) => now > 0n,
    )
    await expect(client.topUp(url, { offer: "gone" })).rejects.toMatchObject({ code: "purchase_refused" })
    const more = await client.topUp(url, { offer: "ten" })
    expect(more).toMatchObject({ id: bought?.id, expiresAt: (bought?.expiresAt ?? 0) + 3600 })
    expect(more.callsRemaining).toBeGreaterThanOrEqual(18)
    const moved = await client.topUp(url, { offer: "hundred" })
    expect(moved).toMatchObject({ id: bought?.id, scope: "movies:read movies:write" })
    expect((await client.fetch(`${service.url}/movies`, { method: "POST" })).status).toBe(201)
    expect(await client.grants()).toHaveLength(1)
    await expect(client.topUp(url, { offer: "hundred" })).rejects.toMatchObject({ code: "day_budget_spent" })
    expect(await client.spent()).toMatchObject({ day: "0.07" })
  })

  it("has its own receipt beside the first one", async () => {
    const account = await service.customer()
    const bought = await buy(account)
    const payment = await prepareTopUp(account, bought)
    await send(payment)
    const ask = async (secret: string) => {
      const response = await fetch(`${service.url}/token/receipt`, { headers: { [secretHeader]: secret } })
      return { status: response.status, body: await response.json() }
    }
    const { body } = await eventually(
      () => ask(payment.secret),
      ({ status }) => status === 200,
    )
    const metadata = await (await fetch(`${service.url}/.well-known/oauth-authorization-server`)).json()
    const published = await (await fetch(metadata.receipt_jwks_uri)).json()
    const read = (receipt: string) => verifyReceipt(receipt, published, service.url)
    const [first, second] = await Promise.all(body.receipts.map(read))
    expect(await read(body.receipt)).toMatchObject({ payment: second.payment })
    expect(first.grant).toBe(second.grant)
    expect(first.payment.transaction).not.toBe(second.payment.transaction)
    expect(await checkLedger(`${service.folder}/ticket402.db`)).toEqual([])
  })
})
