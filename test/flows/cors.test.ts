import { createRequire } from "node:module"
import express5, { type RequestHandler, Router } from "express"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { authorizationServer, gate } from "../../server/adapters/express.ts"
import { parseConfig } from "../../server/config/config.ts"
import { listen } from "../support/listen.ts"
import { openService, postToken, preparePurchase, type TestService } from "../support/service.ts"

const page = "https://app.example.com"
const express4 = createRequire(import.meta.url)("express4") as typeof express5
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
const exposeHeader = "access-control-expose-headers"
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
          "Ticket402-Token",
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

describe.each([
  ["express 5", express5],
  ["express 4", express4],
])("an application with pages of its own on %s", (_name, framework) => {
  /** The CORS rules of the application, as its own middleware would set them. */
  const own: RequestHandler = (req, res, next) => {
    res.set("Access-Control-Allow-Origin", "https://other.example")
    res.set("Access-Control-Expose-Headers", "X-Total, retry-after")
    if (req.method === "OPTIONS") res.status(200).set("Access-Control-Allow-Headers", "X-Own").end()
    else next()
  }
  const film: RequestHandler = (_req, res) => void res.json({})

  it("keeps its exposed headers, set before or after the gate", async () => {
    const { headers } = await preparePurchase(service, await service.customer())
    const { access_token } = (await postToken(service.url, headers)).body
    const checkToken = gate(service.issuer, "movies:read")
    const late: RequestHandler = (_req, res) => {
      res.writeHead(200, { "Access-Control-Expose-Headers": "X-Late" }).end()
    }
    const app = framework().get("/before", own, checkToken, film).get("/after", checkToken, late)
    const { url } = await listen(app)
    const exposedAt = async (path: string, init: Record<string, string>) =>
      list((await fetch(`${url}${path}`, { headers: { origin: page, ...init } })).headers, exposeHeader)
    const token = { authorization: `Bearer ${access_token}` }
    for (const [path, init, name] of [
      ["/before", token, "X-Total"],
      ["/before", {}, "X-Total"],
      ["/after", token, "X-Late"],
    ] as const) {
      const exposed = await exposedAt(path, init)
      expect(exposed).toEqual(expect.arrayContaining([name, "PAYMENT-REQUIRED"]))
      expect(
        exposed.filter((each) => each.toLowerCase() === "retry-after"),
        path,
      ).toHaveLength(1)
    }
  })

  it("answers preflights of its own routes itself, and those of gated routes are answered", async () => {
    const app = framework().use(authorizationServer(service.issuer))
    const inner = Router().get("/films/:id", gate(service.issuer, "movies:read"), film)
    app.use("/gated", gate(service.issuer, "movies:read"))
    app.use(own)
    app.use("/v1", inner)
    app.put("/v1/films/:id", film)
    const { url } = await listen(app)
    const allowedAt = async (path: string, method: string) =>
      (await preflight(`${url}${path}`, page, method)).headers.get("access-control-allow-headers")
    for (const [path, method] of [
      ["/token", "POST"],
      ["/v1/films/7", "GET"],
      ["/v1/films/7", "HEAD"],
      ["/gated/7", "DELETE"],
    ] as const)
      expect(await allowedAt(path, method), path).toContain("PAYMENT-SIGNATURE")
    for (const [path, method] of [
      ["/v1/films/7", "PUT"],
      ["/other", "GET"],
      ["/v1/other", "GET"],
    ] as const)
      expect(await allowedAt(path, method), path).toBe("X-Own")
  })
})

describe("corsLists", () => {
  it("adds headers and replaces methods", async () => {
    const corsLists = { methods: ["GET", "REPORT"], allowHeaders: ["X-Key"], exposeHeaders: ["X-Total"] }
    const own = await openService({ chain: service.chain, config: { cors: [page], corsLists } })
    try {
      const { headers } = await preflight(`${own.url}/movies/1`, page)
      expect(list(headers, "access-control-allow-methods")).toEqual(["GET", "REPORT"])
      expect(list(headers, "access-control-allow-headers")).toEqual(
        expect.arrayContaining(["X-Key", "Authorization"]),
      )
      const answer = await fetch(`${own.url}/movies/1`, { headers: { origin: page } })
      expect(list(answer.headers, exposeHeader)).toEqual(
        expect.arrayContaining(["X-Total", "PAYMENT-REQUIRED"]),
      )
    } finally {
      await own.close()
    }
  })

  it("refuses unknown lists, names that are none, and a star", () => {
    const problemsOf = (corsLists: object): string => {
      try {
        return String(parseConfig({ ...service.config, corsLists }))
      } catch (error) {
        return (error as Error).message
      }
    }
    expect(problemsOf({ exposeHeader: [] })).toBe("corsLists.exposeHeader: unknown key")
    for (const name of ["X Key", "a,b", "", "*"])
      expect(problemsOf({ allowHeaders: [name] }), name).toContain("corsLists.allowHeaders.0")
  })
})
