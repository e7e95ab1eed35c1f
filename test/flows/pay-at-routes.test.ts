import express from "express"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { gate } from "../../server/adapters/express.ts"
import { idempotencyHeader } from "../../shared/oauth/messages.ts"
import { tokenHeader } from "../../shared/token-header.ts"
import { decodeHeader, encodeHeader } from "../../shared/values/codec.ts"
import {
  type PaymentRequirements,
  paymentHeaderV1,
  paymentRequiredHeader,
  paymentResponseHeader,
  paymentResponseHeaderV1,
  paymentSignatureHeader,
} from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { type Account, acceptedOf, randomHex32, signPayment } from "../support/payments.ts"
import { sendRaw, statusesOf } from "../support/raw-http.ts"
import {
  cancelPayment,
  eventually,
  offer,
  openService,
  postToken,
  type TestService,
  watch,
  withoutBlocks,
} from "../support/service.ts"

const network = "eip155:84532"
const offers = [
  offer("hour", "movies:read", "0.01", network),
  { ...offer("call", "clips:read", "0.02", network), calls: 1 },
  { ...offer("film", "films:read", "0.03", network), settle: "first" as const },
  { ...offer("bound", "secrets:read", "0.04", network), dpop: "required" as const },
  offer("studio", "movies:write", "0.05", network),
]

let chain: LocalChain
let service: TestService
/** A service with short settlement waits and 40 requests per peer in ten seconds. */
let shortWaits: TestService
/** The number of requests that reached a handler. */
let handled = 0
beforeAll(async () => {
  chain = await startLocalChain({ network: "base-sepolia", blockTimeSeconds: 0, accounts: 0 })
  const place = { chain, network }
  service = await openService({ ...place, config: { offers, payAtRoutes: true, x402v1: true } })
  shortWaits = await openService({
    ...place,
    config: { offers, payAtRoutes: true, trustProxy: ["127.0.0.1"], limits: { requestsPerPeer: 40 } },
    issuer: { waits: { seconds: 0.2 } },
  })
  for (const { app, issuer } of [service, shortWaits]) {
    const handler: express.RequestHandler = (_req, res) => {
      handled += 1
      res.json({ handled })
    }
    app.get("/clips/:id", gate(issuer, "clips:read"), handler)
    app.get("/dear/:id", gate(issuer, "clips:read", { units: 5 }), handler)
    app.get("/films/:id", gate(issuer, "films:read"), handler)
    app.get("/secrets/:id", gate(issuer, "secrets:read"), handler)
    app.get("/broken", gate(issuer, "movies:read"), (_req, res) => {
      res.status(500).json({})
    })
    app.post("/echo", gate(issuer, "movies:write"), express.json(), (req, res) => {
      res.json(req.body)
    })
  }
})
afterAll(async () => {
  await service.close()
  await shortWaits.close()
  await chain.stop()
})
beforeEach(() => {
  handled = 0
})

function accepted(id: string, at = service): PaymentRequirements {
  const found = at.issuer.config.offers.find((each) => each.id === id)
  if (!found) throw new Error(`no offer ${id}`)
  return acceptedOf(found)
}

/** A payment as stock clients make it, with an uncommitted nonce. */
async function payFor(
  id: string,
  account?: Account,
  extensions?: object,
  at = service,
): Promise<Record<string, string>> {
  const payer = account ?? (await service.customer())
  const { payload } = await signPayment({ accepted: accepted(id, at), account: payer })
  return { [paymentSignatureHeader]: encodeHeader({ ...payload, ...(extensions && { extensions }) }) }
}

async function payForV1(id: string, changes: object = {}): Promise<Record<string, string>> {
  const { payload } = await signPayment({ accepted: accepted(id), account: await service.customer() })
  const v1 = {
    x402Version: 1,
    scheme: "exact",
    network: "base-sepolia",
    payload: payload.payload,
    ...changes,
  }
  return { [paymentHeaderV1]: encodeHeader(v1) }
}

async function ask(path: string, headers: Record<string, string> = {}, init: RequestInit = {}, at = service) {
  const response = await fetch(`${at.url}${path}`, { ...init, headers })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

describe("a payment at a route, with payAtRoutes", () => {
  it("IDM-01: opens the route and returns a token for further calls", async () => {
    const paid = await ask("/movies/1", await payFor("hour"))
    expect(paid).toMatchObject({ status: 200, body: { id: "1" } })
    expect(paid.headers.get("cache-control")).toBe("private, no-store")
    // The payment is not settled yet, and no header claims it.
    expect(paid.headers.get(paymentResponseHeader)).toBeNull()
    const token = paid.headers.get(tokenHeader) ?? ""
    expect(await watch(service.url, token)).toMatchObject({ status: 200 })
  })

  it("is offered to stock clients at routes that its token would open", async () => {
    const flows = async (path: string, headers = {}) => {
      const refused = await ask(path, headers)
      expect(refused.status).toBe(402)
      const { accepts } = decodeHeader(refused.headers.get(paymentRequiredHeader) ?? "") as {
        accepts: PaymentRequirements[]
      }
      return accepts.map(({ extra }) => extra?.paymentFlow)
    }
    expect(await flows("/movies/1")).toEqual([undefined])
    expect(await flows("/films/1")).toEqual(["upfront"])
    expect(await flows("/dear/1")).toEqual(["access-token"])
    expect(await flows("/secrets/1")).toEqual(["access-token"])
  })

  it("HTP-02: is refused for an offer that does not open the route, and stays usable", async () => {
    for (const [path, id] of [
      ["/movies/1", "call"],
      ["/dear/1", "call"],
      ["/secrets/1", "bound"],
    ] as const) {
      const payment = await payFor(id)
      expect(await ask(path, payment), path).toMatchObject({
        status: 400,
        body: { reason: "offer_elsewhere", next: { action: "fix" } },
      })
      if (id === "call") expect(await postToken(service.url, payment)).toMatchObject({ status: 200 })
    }
    expect(handled).toBe(0)
  })

  it("RPL-02: is redeemed once among concurrent copies, with one handler call", async () => {
    const payment = await payFor("call")
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask("/clips/1", payment)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409])
    expect(handled).toBe(1)
    for (const { status, headers } of answers)
      expect(headers.has(tokenHeader), String(status)).toBe(status === 200)
  })

  it("IDM-06: when repeated gets no second call and no second payment request", async () => {
    const extensions = { "payment-identifier": { info: { id: randomHex32() } } }
    const [call, hour] = [
      await payFor("call", undefined, extensions),
      await payFor("hour", undefined, extensions),
    ]
    expect((await ask("/clips/1", call)).status).toBe(200)
    expect(await ask("/clips/1", call)).toMatchObject({ status: 400, body: { reason: "grant_used_up" } })
    expect(handled).toBe(1)
    expect(await ask("/movies/1", hour)).toMatchObject({
      status: 409,
      body: { error: "authorization_conflict" },
    })
  })

  it("leaves body and Idempotency-Key to the handler", async () => {
    const headers = {
      ...(await payFor("studio")),
      "content-type": "application/json",
      [idempotencyHeader]: "1",
    }
    const answer = await ask("/echo", headers, { method: "POST", body: '{"a":[1]}' })
    expect(answer).toMatchObject({ status: 200, body: { a: [1] } })
  })

  it("CLI-14: returns its token even when the handler fails", async () => {
    const failed = await ask("/broken", await payFor("hour"))
    expect(failed.status).toBe(500)
    expect((await watch(service.url, failed.headers.get(tokenHeader) ?? "")).status).toBe(200)
  })

  it("TOK-01: is ignored beside a token, which decides alone", async () => {
    const payment = await payFor("hour")
    const beside = (authorization: string) => ask("/movies/1", { ...payment, authorization })
    expect((await beside("Bearer x")).status).toBe(401)
    expect((await beside("Basic eDp5")).status).toBe(401)
    expect((await ask("/movies/1?access_token=x", payment)).status).toBe(402)
    expect((await postToken(service.url, payment)).status).toBe(200)
  })

  it("HTP-08: is refused with 400 when sent twice, in two versions or unreadable", async () => {
    const payment = await payFor("hour")
    const value = payment[paymentSignatureHeader] ?? ""
    const twice = `GET /movies/1 HTTP/1.1\r\nHost: a\r\nPAYMENT-SIGNATURE: ${value}\r\nPAYMENT-SIGNATURE: ${value}\r\n\r\n`
    expect(statusesOf(await sendRaw(Number(new URL(service.url).port), twice))).toEqual([400])
    const wrong = [
      { ...payment, [paymentHeaderV1]: value },
      { [paymentSignatureHeader]: "x" },
      { [paymentSignatureHeader]: encodeHeader({ x402Version: 1 }) },
      { [paymentHeaderV1]: value },
    ]
    for (const headers of wrong)
      expect((await ask("/movies/1", headers as Record<string, string>)).status).toBe(400)
    expect((await ask("/movies/1", payment)).status).toBe(200)
  })

  it("DOS-02: counts towards the same rate as POST /token", async () => {
    const junk = { [paymentSignatureHeader]: "x", "x-forwarded-for": "192.0.2.7" }
    const atTokenEndpoint = () => ask("/token", junk, { method: "POST" }, shortWaits)
    const answers = await Promise.all(Array.from({ length: 39 }, atTokenEndpoint))
    expect(answers.filter(({ status }) => status === 400).length).toBe(39)
    const atRoute = [
      await ask("/movies/1", junk, {}, shortWaits),
      await ask("/movies/1", junk, {}, shortWaits),
    ]
    expect(atRoute.map(({ status }) => status)).toEqual([400, 429])
  })

  it("IDM-08: waits for a settle-first payment and then returns its settlement", async () => {
    const paid = await ask("/films/1", await payFor("film"))
    expect(paid.status).toBe(200)
    expect(decodeHeader(paid.headers.get(paymentResponseHeader) ?? "")).toMatchObject({
      success: true,
      network,
    })
  })

  it("IDM-08: is answered 202 while unsettled, and the token follows at /token", async () => {
    const payment = await payFor("film", undefined, undefined, shortWaits)
    const pending = await withoutBlocks(chain, () => ask("/films/1", payment, {}, shortWaits))
    expect(pending).toMatchObject({
      status: 202,
      body: { next: { action: "retry" }, retry_secret: expect.any(String) },
    })
    expect(handled).toBe(0)
    const { retry_secret } = pending.body as { retry_secret: string }
    const bought = await eventually(
      () => postToken(shortWaits.url, { ...payment, [idempotencyHeader]: retry_secret }),
      ({ status }) => status !== 202,
    )
    expect(bought.status).toBe(200)
    const headers = { authorization: `Bearer ${bought.body.access_token}` }
    expect((await ask("/films/1", headers, {}, shortWaits)).status).toBe(200)
  })

  it("TOK-21: opens nothing after its settlement failed, and is not rebought", async () => {
    const account = await service.customer(10_000n)
    const payment = await payFor("hour", account, { "payment-identifier": { info: { id: randomHex32() } } })
    await chain.request("evm_setAutomine", [false])
    const paid = await ask("/movies/1", payment)
    expect(paid.status).toBe(200)
    await cancelPayment(service, account, payment)
    await chain.request("evm_setAutomine", [true])
    const token = paid.headers.get(tokenHeader) ?? ""
    const refused = await eventually(
      () => watch(service.url, token),
      ({ status }) => status !== 200,
    )
    expect(refused).toMatchObject({ status: 402, body: { error: "settlement_failed" } })
    expect(await ask("/movies/1", payment)).toMatchObject({
      status: 400,
      body: { reason: "settlement_failed", next: { action: "stop" } },
    })
  })

  it("an MPP client gets a 402 without a Bearer challenge", async () => {
    const headers = { "accept-payment": "evm/charge" }
    expect((await ask("/movies/1", headers)).headers.has("www-authenticate")).toBe(false)
    expect((await ask("/movies/1")).headers.has("www-authenticate")).toBe(true)
    const beside = await ask("/movies/1", { ...headers, authorization: "Bearer x" })
    expect(beside.headers.get("www-authenticate")).toContain('error="invalid_token"')
  })
})

describe("x402 v1", () => {
  it("has its 402 in the body, at /token and at routes", async () => {
    for (const [path, method] of [
      ["/token?offer=hour", "POST"],
      ["/movies/1", "GET"],
    ] as const)
      expect((await ask(path, {}, { method })).body).toEqual({
        x402Version: 1,
        error: expect.any(String),
        message: expect.stringContaining("Access costs 0.01 USDC on Base Sepolia"),
        accepts: [
          expect.objectContaining({
            scheme: "exact",
            network: "base-sepolia",
            maxAmountRequired: "10000",
            extra: { name: "USDC", version: "2" },
          }),
        ],
      })
  })

  it("pays for the named offer or the one with the signed amount", async () => {
    const bought = await ask("/token?offer=hour", await payForV1("hour"), { method: "POST" })
    expect(bought).toMatchObject({ status: 200, body: { scope: "movies:read" } })
    const unnamed = await ask("/token", await payForV1("studio"), { method: "POST" })
    expect(unnamed).toMatchObject({ status: 200, body: { scope: "movies:write" } })
    expect((await ask("/movies/1", await payForV1("hour"))).status).toBe(200)
  })

  it("returns the settlement in its own header", async () => {
    const { status, headers } = await ask("/films/1", await payForV1("film"))
    expect(status).toBe(200)
    expect(decodeHeader(headers.get(paymentResponseHeaderV1) ?? "")).toMatchObject({
      success: true,
      network: "base-sepolia",
    })
    expect(headers.get(paymentResponseHeader)).toBeNull()
  })

  it("RPL-20: pays no other price, on no other network, and only once", async () => {
    const payAt = (headers: Record<string, string>) => ask("/token?offer=hour", headers, { method: "POST" })
    expect(await payAt(await payForV1("studio"))).toMatchObject({ body: { reason: "amount_mismatch" } })
    expect(await payAt(await payForV1("hour", { network: "base" }))).toMatchObject({
      body: { reason: "network_mismatch" },
    })
    expect(await payAt(await payForV1("hour", { payload: {} }))).toMatchObject({
      body: { reason: "payment_malformed" },
    })
    const payment = await payForV1("hour")
    expect((await payAt(payment)).status).toBe(200)
    expect((await payAt(payment)).status).toBe(409)
  })

  it("is disabled unless configured", async () => {
    const asked = await fetch(`${shortWaits.url}/movies/1`, { headers: await payForV1("hour") })
    expect(asked.status).toBe(402)
    expect(await asked.json()).toMatchObject({ x402Version: 2, error: "pay_at_token_endpoint" })
  })
})
