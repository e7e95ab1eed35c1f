import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { auditBooks } from "../../server/books/audit.ts"
import { openStore } from "../../server/stores/index.ts"
import { secretHeader } from "../../shared/oauth/messages.ts"
import { randomHex32 } from "../support/payments.ts"
import {
  offer,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

let service: TestService
let ahead = 0
const warnings: { message: string; fields: Record<string, unknown> }[] = []
const log = {
  debug() {},
  info() {},
  error() {},
  warn: (fields: Record<string, unknown>, message: string) => void warnings.push({ fields, message }),
}
beforeAll(async () => {
  service = await openService({
    config: {
      offers: [{ ...offer("ten", "movies:read", "0.01"), calls: 10 }],
      trustProxy: ["127.0.0.1"],
    },
    issuer: { log, now: () => Math.floor(Date.now() / 1000) + ahead },
  })
})
afterAll(() => service.close())

async function buy() {
  const purchase = await preparePurchase(service, await service.customer())
  const { body } = await postToken(service.url, purchase.headers)
  return { purchase, body }
}
/** A purchase with one call used, whose grant a thief with the first refresh token ended. */
async function reused() {
  const { purchase, body } = await buy()
  expect((await watch(service.url, body.access_token)).status).toBe(200)
  const next = await refresh(service.url, body.refresh_token)
  await refresh(service.url, next.body.refresh_token)
  const thief = await refresh(service.url, body.refresh_token)
  expect(thief).toMatchObject({ status: 400, body: { reason: "refresh_token_reused" } })
  return { purchase, body, tokens: [body.refresh_token, next.body.refresh_token] }
}

describe("a grant that a reused refresh token ended", () => {
  it("TOK-30: is recovered by the payment with its secret, with the same end and the rest of its calls", async () => {
    const { purchase, body, tokens } = await reused()
    const again = await postToken(service.url, retryHeaders(purchase))
    expect(again).toMatchObject({ status: 200, body: { grant: { expires_at: body.grant.expires_at } } })
    expect(again.body.grant.id).not.toBe(body.grant.id)
    const counted = await watch(service.url, again.body.access_token)
    expect(counted.status).toBe(200)
    // One call was made, and a unit that the gate still held counts as spent.
    expect([8, 9]).toContain(again.body.grant.calls_remaining)
    expect((await refresh(service.url, again.body.refresh_token)).status).toBe(200)
    for (const token of tokens)
      expect((await refresh(service.url, token)).body.reason).toBe("refresh_token_reused")
    const repeated = await postToken(service.url, retryHeaders(purchase))
    expect(repeated.body.grant.id).toBe(again.body.grant.id)
    const store = await openStore(`sqlite:${join(service.folder, "ticket402.db")}`)
    expect(await auditBooks(store)).toEqual([])
    await store.close()
  })

  it("TOK-30: stays ended for a copy of the payment and for another secret", async () => {
    const { purchase, body } = await reused()
    expect((await postToken(service.url, purchase.headers)).status).toBe(409)
    const wrong = { ...retryHeaders(purchase), [secretHeader]: randomHex32() }
    expect((await postToken(service.url, wrong)).status).toBe(409)
    expect((await refresh(service.url, body.refresh_token)).body.reason).toBe("refresh_token_reused")
  })

  it("TOK-30: gives nothing after its end", async () => {
    const { purchase } = await reused()
    try {
      ahead = 3601
      expect((await postToken(service.url, retryHeaders(purchase))).status).toBe(400)
    } finally {
      ahead = 0
    }
  })
})

it("a refresh token shown by two peers within ten seconds is logged with the count", async () => {
  const from = (peer: string) => ({ "x-forwarded-for": peer })
  const { body } = await buy()
  await refresh(service.url, body.refresh_token, from("192.0.2.1"))
  warnings.length = 0
  await refresh(service.url, body.refresh_token, from("192.0.2.1"))
  expect(warnings).toEqual([])
  expect((await refresh(service.url, body.refresh_token, from("192.0.2.2"))).status).toBe(200)
  expect(warnings).toEqual([
    {
      fields: { grant: body.grant.id, repeats: 2 },
      message: "one refresh token was shown by two addresses within seconds of its rotation",
    },
  ])
})
