import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { idempotencyHeader, secretHeader } from "../../shared/oauth/messages.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentResponseHeader, paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { signPayment } from "../support/payments.ts"
import {
  askStatus,
  cancelPayment,
  eventually,
  offer,
  openService,
  postToken,
  preparePurchase,
  retryHeaders,
  type TestService,
  watch,
  withoutBlocks,
} from "../support/service.ts"

let chain: LocalChain
/** A service with the default settlement wait. */
let waiting: TestService
/** A service with a short settlement wait. */
let shortWaits: TestService
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  waiting = await openService({ chain, config: { offers } })
  shortWaits = await openService({ chain, config: { offers }, issuer: { waits: { seconds: 0.4 } } })
})
afterAll(async () => {
  await Promise.all([waiting.close(), shortWaits.close()])
  await chain.stop()
})

const offers = [{ ...offer("hour", "movies:read", "0.01"), settle: "first" as const }]
const prepare = async (service: TestService) => preparePurchase(service, await service.customer())
/** A payment as a stock client makes it, without a proof of ownership. */
async function plainPayment(service: TestService): Promise<Record<string, string>> {
  const { payload } = await signPayment({ accepted: service.accepted, account: await service.customer() })
  return { [paymentSignatureHeader]: encodeHeader(payload) }
}

describe("an offer that is settled first", () => {
  it("gives a full token once the payment has settled and not before", async () => {
    const customer = await waiting.customer()
    const purchase = await preparePurchase(waiting, customer)
    const bought = await postToken(waiting.url, purchase.headers)
    expect(await waiting.balanceOf(customer.address)).toBe(990_000n)
    expect(bought).toMatchObject({
      status: 200,
      body: { grant: { settlement: { state: "settled", transaction: expect.any(String) } } },
    })
    expect(bought.body.expires_in).toBeGreaterThan(290)
    expect(bought.headers.get(paymentResponseHeader)).not.toBeNull()
    expect((await watch(waiting.url, bought.body.access_token)).status).toBe(200)
  })

  it("IDM-08: answers 202 while unsettled, never 402, and opens nothing meanwhile", async () => {
    const purchase = await prepare(shortWaits)
    const waited = await withoutBlocks(chain, async () => {
      const first = await postToken(shortWaits.url, purchase.headers)
      const again = await postToken(shortWaits.url, retryHeaders(purchase))
      const status = await askStatus(shortWaits.url, { [secretHeader]: purchase.secret })
      return { first, again, status }
    })
    for (const answer of [waited.first, waited.again]) {
      expect(answer).toMatchObject({
        status: 202,
        body: {
          status_url: `${shortWaits.url}/token/status`,
          settlement: { state: "pending" },
          next: { action: "retry", retryAfterSeconds: 5 },
        },
      })
      expect(answer.headers.get("retry-after")).toBe("5")
      expect(answer.headers.get("cache-control")).toBe("no-store")
      // The buyer's committed secret is the proof.
      expect(answer.body).not.toHaveProperty("retry_secret")
      expect(JSON.stringify(answer.body)).not.toContain("token_type")
    }
    expect(waited.status.body.grant).toMatchObject({ expires_at: null, settlement: { state: "pending" } })
    const bought = await eventually(
      () => postToken(shortWaits.url, retryHeaders(purchase)),
      ({ status }) => status === 200,
    )
    const left = bought.body.grant.expires_at - Date.now() / 1000
    // The hour runs from the token's issue, not from the payment.
    expect(left).toBeGreaterThan(3590)
    expect((await watch(shortWaits.url, bought.body.access_token)).status).toBe(200)
  })

  it("IDM-08: gives the same token to every holder of the proof, and to no one else", async () => {
    const purchase = await prepare(waiting)
    const first = withoutBlocks(chain, async () => {
      const asked = Array.from({ length: 5 }, () => postToken(waiting.url, retryHeaders(purchase)))
      await eventually(
        () => askStatus(waiting.url, { [secretHeader]: purchase.secret }),
        ({ status }) => status === 200,
      )
      expect((await postToken(waiting.url, purchase.headers)).status).toBe(409)
      return asked
    })
    const answers = await Promise.all(await first)
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    const ids = answers.map(({ body }) => JSON.parse(atob(body.access_token.split(".")[1])).jti)
    expect(new Set(ids).size).toBe(1)
    expect(new Set(answers.map(({ body }) => body.grant.expires_at)).size).toBe(1)
    expect((await postToken(waiting.url, purchase.headers)).status).toBe(409)
  })

  it("IDM-08: gives a retry secret once to a client without a proof", async () => {
    const payment = await plainPayment(shortWaits)
    const first = await withoutBlocks(chain, () => postToken(shortWaits.url, payment))
    expect(first).toMatchObject({ status: 202, body: { retry_secret: expect.stringMatching(/^[\w-]{43}$/) } })
    const proof = { [idempotencyHeader]: first.body.retry_secret }
    expect((await postToken(shortWaits.url, payment)).status).toBe(409)
    const bought = await eventually(
      () => postToken(shortWaits.url, { ...payment, ...proof }),
      ({ status }) => status === 200,
    )
    expect(bought.body).not.toHaveProperty("retry_secret")
    expect((await askStatus(shortWaits.url, proof)).body.grant.settlement.state).toBe("settled")
  })

  it("DOS-10: bounds waiting requests and frees a place on disconnect", async () => {
    const narrow = await openService({ chain, config: { offers }, issuer: { waits: { atOnce: 1 } } })
    const [first, second, third] = [await prepare(narrow), await prepare(narrow), await prepare(narrow)]
    const pending = await withoutBlocks(chain, async () => {
      const leaving = new AbortController()
      const { headers } = first
      const gone = fetch(`${narrow.url}/token`, { method: "POST", headers, signal: leaving.signal })
      await eventually(
        () => askStatus(narrow.url, { [secretHeader]: first.secret }),
        ({ status }) => status === 200,
      )
      expect((await postToken(narrow.url, second.headers)).status).toBe(202)
      leaving.abort()
      await expect(gone).rejects.toThrow()
      return [postToken(narrow.url, third.headers)]
    })
    expect((await pending[0])?.status).toBe(200)
    await narrow.close()
  })

  it("SET-05: gives no token for a failed payment and reports the failure", async () => {
    const customer = await waiting.customer(10_000n)
    const purchase = await preparePurchase(waiting, customer)
    const pending = await withoutBlocks(chain, async () => {
      const asked = postToken(waiting.url, purchase.headers)
      await eventually(
        () => askStatus(waiting.url, { [secretHeader]: purchase.secret }),
        ({ status }) => status === 200,
      )
      await cancelPayment(waiting, customer, purchase.headers)
      return [asked]
    })
    const failed = { status: 400, body: { reason: "settlement_failed", next: { action: "stop" } } }
    expect(await pending[0]).toMatchObject(failed)
    expect(await postToken(waiting.url, retryHeaders(purchase))).toMatchObject(failed)
    const { body } = await askStatus(waiting.url, { [secretHeader]: purchase.secret })
    expect(body.grant).toMatchObject({ expires_at: null, settlement: { state: "failed" } })
  })
})
