/** Body parsers and hosts that read a request before the endpoints do. */
import { IncomingMessage, ServerResponse } from "node:http"
import { createRequire } from "node:module"
import { Socket } from "node:net"
import express5, { type Express, type RequestHandler, Router } from "express"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { authorizationServer, gate } from "../../server/adapters/express.ts"
import { listen } from "../support/listen.ts"
import {
  type Answer,
  openService,
  postToken,
  preparePurchase,
  refresh,
  type TestService,
  watch,
} from "../support/service.ts"

type Framework = typeof express5
const express4 = createRequire(import.meta.url)("express4") as Framework
const frameworks: [string, Framework][] = [
  ["express 5", express5],
  ["express 4", express4],
]

let service: TestService
let logged: { parser?: string }[] = []
beforeAll(async () => {
  const note = (fields: object) => void logged.push(fields)
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: note }
  service = await openService({ issuer: { log } })
})
beforeEach(() => {
  logged = []
})
afterAll(() => service.close())

const buy = async (url: string): Promise<Answer> =>
  postToken(url, (await preparePurchase(service, await service.customer())).headers)
const form = { "content-type": "application/x-www-form-urlencoded" }
const json = { "content-type": "application/json" }

function mounted(framework: Framework, ...before: RequestHandler[]): Express {
  const app = framework()
  for (const each of before) app.use(each)
  app.use(authorizationServer(service.issuer))
  app.get("/movies/:id", gate(service.issuer, "movies:read"), (_req, res) => void res.json({}))
  return app
}

describe.each(frameworks)("a body parser before the endpoints on %s", (_name, framework) => {
  const json5 = framework.json()
  const inRouter = Router().use(framework.urlencoded({ extended: true }))
  const onRoute: RequestHandler = Router().post("/token", framework.json(), (_req, _res, next) => next())
  it.each<[string, RequestHandler, string]>([
    ["express.json()", json5, "express.json()"],
    ["express.urlencoded()", framework.urlencoded({ extended: false }), "express.urlencoded()"],
    ["a parser in a router", inRouter, "express.urlencoded()"],
    ["a parser on a route", onRoute, "express.json()"],
  ])("fails the first purchase with a sentence that names it: %s", async (_parser, before, name) => {
    const { url } = await listen(mounted(framework, before))
    for (let purchase = 0; purchase < 2; purchase++)
      expect(await buy(url)).toMatchObject({
        status: 500,
        body: {
          error: "server_error",
          reason: "body_parsed",
          error_description: expect.stringContaining(`Mount authorizationServer(issuer) before ${name}.`),
        },
      })
    expect(logged.map(({ parser }) => parser)).toEqual([name])
    expect((await watch(url)).status).toBe(402)
    expect((await fetch(`${url}/.well-known/jwks.json`)).status).toBe(200)
  })

  it("fails revocations and introspections too", async () => {
    const { url } = await listen(mounted(framework, framework.json()))
    for (const path of ["/revoke", "/introspect", "/token/nonce"]) {
      const answer = await fetch(`${url}${path}`, { method: "POST", headers: form, body: "token=x" })
      expect(answer.status, path).toBe(500)
    }
  })

  it("is accepted behind the endpoints, at other paths, and where it keeps the bytes", async () => {
    const keep = (req: object, _res: unknown, rawBody: Buffer) => void Object.assign(req, { rawBody })
    const elsewhere = Router().use("/webhooks", framework.json())
    const kept = [
      framework.raw({ type: "*/*" }),
      framework.text({ type: "*/*" }),
      framework.json({ verify: keep }),
      framework.urlencoded({ extended: true, verify: keep }),
    ]
    const apps = [
      mounted(framework).use(framework.json()),
      mounted(framework, elsewhere),
      ...kept.map((each) => mounted(framework, each)),
    ]
    for (const [at, app] of apps.entries()) {
      const { url } = await listen(app)
      const bought = await buy(url)
      expect(bought.status, String(at)).toBe(200)
      const first = await refresh(url, bought.body.refresh_token)
      expect(first.status, String(at)).toBe(200)
      const body = JSON.stringify({ grant_type: "refresh_token", refresh_token: first.body.refresh_token })
      expect((await postToken(url, json, body)).status, String(at)).toBe(200)
    }
    expect(logged).toEqual([])
  })

  it("PRS-05: loses no doubled key and no limit where a parser keeps the bytes", async () => {
    for (const parser of [framework.raw({ type: "*/*", limit: "1mb" }), framework.text({ type: "*/*" })]) {
      const { url } = await listen(mounted(framework, parser))
      const reason = async (headers: Record<string, string>, body: string) =>
        (await postToken(url, headers, body)).body.reason
      const doubled = '{"grant_type":"refresh_token","refresh_token":"a","refresh_token":"b"}'
      expect(await reason(json, doubled)).toBe("malformed")
      expect(await reason(form, "grant_type=refresh_token&refresh_token=a&refresh_token=b")).toBe("malformed")
      expect(await reason(json, JSON.stringify({ a: "x".repeat(70_000) }))).toBe("body_too_large")
    }
  })

  it("is named at the request whose body it has read where the router does not show it", async () => {
    const parser = framework.json()
    const hidden: RequestHandler = (req, res, next) => parser(req, res, next)
    const { url } = await listen(mounted(framework, hidden))
    const { refresh_token } = (await buy(url)).body
    const body = JSON.stringify({ grant_type: "refresh_token", refresh_token })
    expect((await postToken(url, json, body)).body.reason).toBe("body_parsed")
    expect((await refresh(url, refresh_token)).status).toBe(200)
    expect(logged).toHaveLength(1)
  })
})

describe("a host that reads the body itself", () => {
  /** As the hosts of cloud functions pass a request on: the stream is read, and `body` is parsed. */
  const consumed =
    (members: (bytes: Buffer) => object): RequestHandler =>
    async (req, _res, next) => {
      const parts: Buffer[] = []
      for await (const part of req) parts.push(part as Buffer)
      Object.assign(req, members(Buffer.concat(parts)))
      next()
    }

  it.each<[string, (bytes: Buffer) => object]>([
    ["rawBody", (rawBody) => ({ rawBody, body: { grant_type: "password" } })],
    ["rawBody in text", (bytes) => ({ rawBody: bytes.toString(), body: {} })],
    ["body as bytes", (body) => ({ body })],
    ["body as text", (bytes) => ({ body: bytes.toString() })],
  ])("sells and refreshes by its bytes: %s", async (_name, members) => {
    const { url } = await listen(mounted(express5, consumed(members)))
    const bought = await buy(url)
    expect(bought.status).toBe(200)
    expect((await refresh(url, bought.body.refresh_token)).status).toBe(200)
  })

  it("never has its parsed object used", async () => {
    const { url } = await listen(
      mounted(
        express5,
        consumed(() => ({ body: { grant_type: "password" } })),
      ),
    )
    expect((await postToken(url, json, "{}")).body.reason).toBe("body_parsed")
    const unread: RequestHandler = (req, _res, next) => {
      req.body = { grant_type: "password" }
      next()
    }
    const { url: other } = await listen(mounted(express5, unread))
    expect((await postToken(other, json, "{}")).body.error).toBe("payment_missing")
  })
})

describe("a request that a host makes by hand", () => {
  /** As serverless adapters make it: no raw headers, a socket without a connection, the body beside the stream. */
  async function inject(
    app: Express,
    request: { method: string; url: string; headers: Record<string, string | string[]>; body?: string },
  ): Promise<Answer> {
    const { body = "", ...rest } = request
    const bytes = Buffer.from(body)
    const message = Object.assign(new IncomingMessage(new Socket()), rest, { body: bytes, complete: true })
    message.headers["content-length"] = String(bytes.byteLength)
    message.push(bytes)
    message.push(null)
    const response = new ServerResponse(message)
    const parts: Buffer[] = []
    response.write = (part: Uint8Array) => parts.push(Buffer.from(part)) > 0
    const ended = new Promise<void>((resolve) => {
      response.end = ((part?: Uint8Array | string) => {
        if (part !== undefined) parts.push(Buffer.from(part))
        resolve()
        return response
      }) as typeof response.end
    })
    ;(app as unknown as (req: IncomingMessage, res: ServerResponse) => void)(message, response)
    await ended
    const text = Buffer.concat(parts).toString()
    const headers = new Headers(
      Object.entries(response.getHeaders()).map(([name, value]): [string, string] => [name, String(value)]),
    )
    return { status: response.statusCode, headers, body: text === "" ? undefined : JSON.parse(text) }
  }

  it.each(frameworks)("buys, refreshes and passes the gate on %s", async (_name, framework) => {
    const app = mounted(framework)
    const { headers } = await preparePurchase(service, await service.customer())
    const bought = await inject(app, { method: "POST", url: "/token", headers })
    expect(bought.status).toBe(200)
    const parameters = { grant_type: "refresh_token", refresh_token: bought.body.refresh_token }
    const body = new URLSearchParams(parameters).toString()
    const refreshed = await inject(app, { method: "POST", url: "/token", headers: { ...form }, body })
    expect(refreshed.status).toBe(200)
    const authorization = `Bearer ${refreshed.body.access_token}`
    expect((await inject(app, { method: "GET", url: "/movies/1", headers: { authorization } })).status).toBe(
      200,
    )
    expect((await inject(app, { method: "GET", url: "/movies/1", headers: {} })).status).toBe(402)
  })

  it("TOK-20: is refused with two tokens, joined or in a list", async () => {
    const { access_token: token } = (await buy(service.url)).body
    const two = `Bearer ${token}`
    for (const authorization of [`${two}, ${two}`, [two, two]]) {
      const answer = await inject(mounted(express5), {
        method: "GET",
        url: "/movies/1",
        headers: { authorization },
      })
      expect([answer.status, answer.body.reason]).toEqual([400, "token_ambiguous"])
    }
  })
})
