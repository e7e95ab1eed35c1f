import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { idempotencyHeader, secretHeader } from "../../shared/oauth/messages.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentResponseHeader, paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { signPayment } from "../support/payments.ts"
import {
  askStatus,
  drain,
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
/** Waits until the money is in, whatever it takes. */
let patient: TestService
/** Holds nobody for long. */
let hurried: TestService
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  patient = await openService({ chain, config: { offers } })
  hurried = await openService({ chain, config: { offers }, issuer: { waits: { seconds: 0.4 } } })
})
afterAll(async () => {
  await Promise.all([patient.close(), hurried.close()])
  await chain.stop()
})

const offers = [{ ...offer("hour", "movies:read", "0.01"), settle: "first" as const }]
const buyer = async (service: TestService) => preparePurchase(service, await service.customer())
/** A payment as a stock client makes it: nothing in it proves whose it is. */
async function plainPayment(service: TestService): Promise<Record<string, string>> {
  const { payload } = await signPayment({ accepted: service.accepted, account: await service.customer() })
  return { [paymentSignatureHeader]: encodeHeader(payload) }
}

describe("an offer that is settled first", () => {
  it("gives a full token once the money is in, and not a moment before", async () => {
    const customer = await patient.customer()
    const purchase = await preparePurchase(patient, customer)
    const bought = await postToken(patient.url, purchase.headers)
    expect(await patient.balanceOf(customer.address)).toBe(990_000n)
    expect(bought).toMatchObject({
      status: 200,
      body: { grant: { settlement: { state: "settled", transaction: expect.any(String) } } },
    })
    expect(bought.body.expires_in).toBeGreaterThan(290)
    expect(bought.headers.get(paymentResponseHeader)).not.toBeNull()
    expect((await watch(patient.url, bought.body.access_token)).status).toBe(200)
  })

  it("IDM-08: answers 202 while the money is not in, never 402, and nothing opens the door meanwhile", async () => {
    const purchase = await buyer(hurried)
    const waited = await withoutBlocks(chain, async () => {
      const first = await postToken(hurried.url, purchase.headers)
      const again = await postToken(hurried.url, retryHeaders(purchase))
      const status = await askStatus(hurried.url, { [secretHeader]: purchase.secret })
      return { first, again, status }
    })
    for (const answer of [waited.first, waited.again]) {
      expect(answer).toMatchObject({
        status: 202,
        body: {
          status_url: `${hurried.url}/token/status`,
          settlement: { state: "pending" },
          next: { action: "retry", retryAfterSeconds: 5 },
        },
      })
      expect(answer.headers.get("retry-after")).toBe("5")
      expect(answer.headers.get("cache-control")).toBe("no-store")
      // Whoever committed to a secret has his proof.
      expect(answer.body).not.toHaveProperty("retry_secret")
      expect(JSON.stringify(answer.body)).not.toContain("token_type")
    }
    expect(waited.status.body.grant).toMatchObject({ expires_at: null, settlement: { state: "pending" } })
    const bought = await eventually(
      () => postToken(hurried.url, retryHeaders(purchase)),
      ({ status }) => status === 200,
    )
    const left = bought.body.grant.expires_at - Date.now() / 1000
    // The hour runs from the token, not from the payment.
    expect(left).toBeGreaterThan(3590)
    expect((await watch(hurried.url, bought.body.access_token)).status).toBe(200)
  })

  it("IDM-08: gives everybody who proves the payment his the same token, and nobody else any", async () => {
    const purchase = await buyer(patient)
    const first = withoutBlocks(chain, async () => {
      const asked = Array.from({ length: 5 }, () => postToken(patient.url, retryHeaders(purchase)))
      await eventually(
        () => askStatus(patient.url, { [secretHeader]: purchase.secret }),
        ({ status }) => status === 200,
      )
      expect((await postToken(patient.url, purchase.headers)).status).toBe(409)
      return asked
    })
    const answers = await Promise.all(await first)
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    const ids = answers.map(({ body }) => JSON.parse(atob(body.access_token.split(".")[1])).jti)
    expect(new Set(ids).size).toBe(1)
    expect(new Set(answers.map(({ body }) => body.grant.expires_at)).size).toBe(1)
    expect((await postToken(patient.url, purchase.headers)).status).toBe(409)
  })

  it("IDM-08: a client that brought no proof of its own is given one, once", async () => {
    const payment = await plainPayment(hurried)
    const first = await withoutBlocks(chain, () => postToken(hurried.url, payment))
    expect(first).toMatchObject({ status: 202, body: { retry_secret: expect.stringMatching(/^[\w-]{43}$/) } })
    const proof = { [idempotencyHeader]: first.body.retry_secret }
    expect((await postToken(hurried.url, payment)).status).toBe(409)
    const bought = await eventually(
      () => postToken(hurried.url, { ...payment, ...proof }),
      ({ status }) => status === 200,
    )
    expect(bought.body).not.toHaveProperty("retry_secret")
    expect((await askStatus(hurried.url, proof)).body.grant.settlement.state).toBe("settled")
  })

  it("DOS-10: waits are bounded, and one that nobody listens to any more makes room at once", async () => {
    const narrow = await openService({ chain, config: { offers }, issuer: { waits: { atOnce: 1 } } })
    const [first, second, third] = [await buyer(narrow), await buyer(narrow), await buyer(narrow)]
    const waiting = await withoutBlocks(chain, async () => {
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
    expect((await waiting[0])?.status).toBe(200)
    await narrow.close()
  })

  it("SET-05: gives nothing for money that never comes, and says so to its owner", async () => {
    const customer = await patient.customer(10_000n)
    const purchase = await preparePurchase(patient, customer)
    const waiting = await withoutBlocks(chain, async () => {
      const asked = postToken(patient.url, purchase.headers)
      await eventually(
        () => askStatus(patient.url, { [secretHeader]: purchase.secret }),
        ({ status }) => status === 200,
      )
      await drain(patient, customer)
      return [asked]
    })
    const failed = { status: 400, body: { reason: "settlement_failed", next: { action: "stop" } } }
    expect(await waiting[0]).toMatchObject(failed)
    expect(await postToken(patient.url, retryHeaders(purchase))).toMatchObject(failed)
    const { body } = await askStatus(patient.url, { [secretHeader]: purchase.secret })
    expect(body.grant).toMatchObject({ expires_at: null, settlement: { state: "failed" } })
  })
})
