import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openService, postToken, preparePurchase, type TestService } from "../support/service.ts"

const page = "https://app.example.com"
let service: TestService
let plain: TestService
beforeAll(async () => {
  service = await openService({ config: { cors: [page, "http://localhost:3000"] } })
  plain = await openService({ chain: service.chain })
})
afterAll(async () => {
  await plain.close()
  await service.close()
})

const preflight = (url: string, origin: string, method = "GET") =>
  fetch(url, {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": method, "access-control-request-headers": "dpop" },
  })
const list = (headers: Headers, name: string) => (headers.get(name) ?? "").split(",").sort()

describe("pages of other origins", () => {
  it("HTP-04: preflights of a listed page bypass gate and handler", async () => {
    for (const [path, method] of [
      ["/token", "POST"],
      ["/movies/1", "GET"],
      ["/movies", "POST"],
    ] as const) {
      const { status, headers } = await preflight(`${service.url}${path}`, page, method)
      expect(status, path).toBe(204)
      expect(headers.get("access-control-allow-origin"), path).toBe(page)
      expect(headers.get("vary"), path).toContain("Origin")
      expect(headers.get("access-control-allow-credentials"), path).toBeNull()
      expect(list(headers, "access-control-allow-methods"), path).toContain(method)
      expect(list(headers, "access-control-allow-headers"), path).toEqual(
        [
          "Authorization",
          "Content-Type",
          "PAYMENT-SIGNATURE",
          "X-PAYMENT",
          "Access-Control-Expose-Headers",
          "Ticket402-Commitment",
          "Ticket402-Secret",
          "Idempotency-Key",
          "DPoP",
        ].sort(),
      )
    }
  })

  it("a listed page may read every answer and the headers needed to buy", async () => {
    const bought = await postToken(
      service.url,
      (await preparePurchase(service, await service.customer())).headers,
    )
    const authorization = `Bearer ${bought.body.access_token}`
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(`${service.url}${path}`, { ...init, headers: { origin: page, ...init.headers } })
    const answers = [
      await ask("/movies/1"),
      await ask("/movies/1", { headers: { authorization } }),
      await ask("/movies/1", { headers: { authorization: "Bearer x" } }),
      await ask("/token", { method: "POST" }),
      await ask("/token", { method: "POST", body: "x" }),
      await ask("/.well-known/oauth-protected-resource"),
    ]
    expect(answers.map(({ status }) => status)).toEqual([402, 200, 401, 402, 415, 200])
    for (const { headers } of answers) {
      expect(headers.get("access-control-allow-origin")).toBe(page)
      expect(headers.get("vary")).toContain("Origin")
      expect(list(headers, "access-control-expose-headers")).toEqual(
        [
          "DPoP-Nonce",
          "PAYMENT-REQUIRED",
          "PAYMENT-RESPONSE",
          "X-PAYMENT-RESPONSE",
          "Ticket402-Token",
          "WWW-Authenticate",
          "Retry-After",
          "RateLimit",
        ].sort(),
      )
    }
  })

  it("an unlisted origin is never allowed", async () => {
    const others = [
      "https://evil.example",
      "null",
      "https://app.example.com.evil.example",
      `${page}:443`,
      "*",
    ]
    for (const { url } of [service, plain])
      for (const origin of others)
        for (const answer of [
          await preflight(`${url}/movies/1`, origin),
          await preflight(`${url}/token`, origin, "POST"),
          await fetch(`${url}/movies/1`, { headers: { origin } }),
          await fetch(`${url}/token`, { method: "POST", headers: { origin } }),
        ])
          expect(answer.headers.get("access-control-allow-origin"), origin).toBeNull()
    const own = await fetch(`${plain.url}/movies/1`, { headers: { origin: page } })
    expect(own.headers.get("access-control-allow-origin")).toBeNull()
  })
})
