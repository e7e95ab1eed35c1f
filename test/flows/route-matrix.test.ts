import { once } from "node:events"
import { connect } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { gate, hardenServer } from "../../server/adapters/express.ts"
import { createChallenges } from "../../server/gate/challenges.ts"
import { createHandleGate } from "../../server/gate/handle-gate.ts"
import { endpointsOf } from "../../server/http/metadata.ts"
import { openService, postToken, preparePurchase, type TestService } from "../support/service.ts"

let service: TestService
let token: string
let port: number
/** The number of requests that reached a handler behind the gate. */
let handled = 0
beforeAll(async () => {
  service = await openService()
  port = Number(new URL(service.url).port)
  const { app, issuer } = service
  app.get("/paid/data", gate(issuer, "movies:read"), (_req, res) => {
    handled += 1
    res.set("cache-control", "public, max-age=3600").send("paid body")
  })
  app.all("/paid/any/:id", gate(issuer, "movies:read"), (_req, res) => {
    handled += 1
    res.send("paid body")
  })
  app.use("/paid/tree", gate(issuer, "movies:read"), (_req, res) => {
    handled += 1
    res.send("paid body")
  })
  const bought = await postToken(
    service.url,
    (await preparePurchase(service, await service.customer())).headers,
  )
  token = bought.body.access_token
})
afterAll(() => service.close())

/** Sends the bytes of a request unchanged and returns everything received. */
async function raw(request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1").setEncoding("latin1")
  let received = ""
  socket.on("data", (part: string) => {
    received += part
  })
  socket.on("error", () => undefined)
  socket.write(request, "latin1")
  await once(socket, "close")
  return received
}
const ask = (method: string, target: string, ...headers: string[]) =>
  raw(`${[`${method} ${target} HTTP/1.1`, "Host: a", "Connection: close", ...headers].join("\r\n")}\r\n\r\n`)
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
const bearer = () => `Authorization: Bearer ${token}`

const leaves = [
  "data",
  "DATA",
  "data/",
  "./data",
  "x/../data",
  "%64ata",
  "dat%61",
  "data%2f",
  "data%5c",
  "data%252f",
  "data;a=1",
  "data%00",
  "data%20",
  "data%c0",
  "data%",
  "data%zz",
  "data?x=1",
  "data?access_token=x",
  "data#x",
  "data/x.css",
  "data.css",
  "data%3f.css",
  "data%23",
  "data%0d%0aX:1",
  "any/1",
  "any/%2e%2e",
  "any/..%2f..%2fdata",
  "any/a%2fb",
  "any/%ff",
  "any/x;jsessionid=1",
  "tree",
  "tree/",
  "tree/a/b",
  "tree/%2e%2e/data",
  "tree/../data",
  "tree%2fa",
]
const roots = [
  "/paid/",
  "/PAID/",
  "//paid/",
  "/paid//",
  "/./paid/",
  "/x/../paid/",
  "/%70aid/",
  "/paid\\",
  "/paid%2f",
]
const absolute = [
  "http://evil.example/paid/data",
  "http://a/paid/data",
  "HTTP://a/paid/any/1",
  "*",
  "paid/data",
]
const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "QUERY", "M-SEARCH"]

describe("every spelling of a gated route", () => {
  it("HTP-01, HTP-02: reaches no handler without a token", async () => {
    const targets = [...roots.flatMap((root) => leaves.map((leaf) => root + leaf)), ...absolute]
    const seen = new Set<number>()
    for (const method of methods) {
      const answers = await Promise.all(targets.map((target) => ask(method, target)))
      for (const [at, answer] of answers.entries()) {
        seen.add(statusOf(answer))
        expect(answer, `${method} ${targets[at]}`).not.toContain("paid body")
        expect(statusOf(answer), `${method} ${targets[at]}`).toBeGreaterThanOrEqual(400)
        expect(statusOf(answer), `${method} ${targets[at]}`).toBeLessThan(500)
      }
    }
    expect(handled).toBe(0)
    expect(seen).toContain(402)
    expect(seen).toContain(404)
  }, 120_000)

  it("HTP-04: reaches no handler with OPTIONS, TRACE, CONNECT or a lower-case method", async () => {
    for (const target of ["/paid/data", "/paid/any/1", "/paid/tree/x"]) {
      for (const method of ["OPTIONS", "get", "gEt"]) {
        const answer = await ask(method, target, bearer())
        expect(answer, method).not.toContain("paid body")
      }
      expect(statusOf(await ask("OPTIONS", target, bearer()))).toBeLessThan(300)
      expect(statusOf(await ask("get", target))).toBe(400)
    }
    expect(await ask("CONNECT", "a:443", bearer())).not.toContain("paid body")
    expect(statusOf(await ask("TRACE", "/paid/data", bearer()))).toBe(404)
    for (const target of ["/paid/any/1", "/paid/tree/x"])
      expect(statusOf(await ask("TRACE", target, bearer())), target).toBe(405)
    expect(handled).toBe(0)
  })

  it("HTP-04: ignores a method named in a header, the query or a form", async () => {
    const overrides = ["X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET"]
    for (const override of overrides) {
      expect(
        statusOf(await ask("POST", "/paid/data?_method=GET", override, bearer(), "Content-Length: 0")),
      ).toBe(404)
      expect(statusOf(await ask("GET", "/token?_method=POST", override.replace("GET", "POST")))).toBe(402)
    }
    expect(handled).toBe(0)
  })

  it("HTP-08: is refused with two Host or Authorization fields, as is /token", async () => {
    for (const target of ["/paid/data", "/paid/any/1"]) {
      const hosts = await ask("GET", target, "Host: b", bearer())
      expect(statusOf(hosts), hosts).toBe(400)
      const tokens = await ask("GET", target, bearer(), "authorization: Bearer x")
      expect(statusOf(tokens), tokens).toBe(400)
      expect(tokens).not.toMatch(/payment-required/i)
    }
    for (const header of ["Host: b", "Content-Type: text/plain\r\nContent-Type: application/json"])
      expect(statusOf(await ask("POST", "/token", header, "Content-Length: 0")), header).toBe(400)
    for (const name of ["Idempotency-Key", "PAYMENT-SIGNATURE", "Authorization", "Ticket402-Secret"]) {
      const twice = await ask("POST", "/token", `${name}: a`, `${name}: b`, "Content-Length: 0")
      expect(statusOf(twice), name).toBe(400)
      expect(twice, name).toContain("malformed")
    }
    expect(handled).toBe(0)
  })

  it("PRS-18: is refused for a second Authorization behind 2,000 header lines", async () => {
    const { createServer } = await import("node:http")
    const server = hardenServer(createServer(service.app))
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const before = port
    port = (server.address() as { port: number }).port
    const filler = Array.from({ length: 2000 }, () => "a:b")
    const answer = await ask("GET", "/paid/data", bearer(), ...filler, "Authorization: Bearer x")
    const late = await ask("GET", "/paid/data", ...filler, bearer())
    port = before
    server.closeAllConnections()
    server.close()
    expect(statusOf(answer)).toBe(400)
    expect(late).toContain("paid body")
    handled = 0
  })
})

describe("requests other than plain HTTP", () => {
  it("HTP-17: an upgrade is treated as an ordinary request and never performed", async () => {
    const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    expect(statusOf(await ask("GET", "/paid/data", ...upgrade))).toBe(402)
    const seen = await ask("GET", "/paid/data", ...upgrade, bearer())
    expect(statusOf(seen)).toBe(200)
    expect(seen).toMatch(/\r\nconnection: close\r\n/i)
    handled = 0
  })

  it("HTP-28: refusals are JSON that no browser renders as a page", async () => {
    const markup = "<script>alert(1)</script>"
    for (const [method, target] of [
      ["GET", `/paid/any/${encodeURIComponent(markup)}`],
      ["GET", `/paid/any/x?${markup}`],
      ["POST", `/token?offer=${encodeURIComponent(markup)}`],
    ] as const) {
      const answer = await ask(method, target, "Content-Length: 0")
      expect(statusOf(answer), target).toBeGreaterThanOrEqual(400)
      expect(answer, target).toMatch(/\r\ncontent-type: application\/json\r\n/i)
      expect(answer, target).not.toContain("<script")
    }
  })
})

describe("caches", () => {
  it("HTP-20: may not share paid answers, whatever the handler sets", async () => {
    const answer = await ask("GET", "/paid/data", bearer())
    expect(answer).toContain("paid body")
    expect(answer).toMatch(/\r\ncache-control: private, no-store\r\n/i)
    expect(answer).not.toMatch(/public/)
    handled = 0
  })

  it("HTP-21: may not store refusals", async () => {
    for (const credential of ["X-None: 1", "Authorization: Bearer x", "Authorization: Bearer a, Bearer b"]) {
      const answer = await ask("GET", "/paid/data", credential)
      expect(statusOf(answer)).toBeGreaterThanOrEqual(400)
      expect(answer, credential).toMatch(/\r\ncache-control: no-store\r\n/i)
    }
  })

  it("HTP-22: see no echo of a forged host and no paid answer with an extension", async () => {
    const forged = ["X-Forwarded-Host: evil.example", "X-Forwarded-Proto: gopher", "X-Original-URL: /free"]
    for (const target of [
      "/paid/data",
      "/paid/data/x.css",
      "/paid/data?x.css",
      "http://evil.example/paid/data",
    ]) {
      const answer = await ask("GET", target, ...forged)
      expect([400, 402, 404]).toContain(statusOf(answer))
      expect(answer.replace(/Cannot GET.*/, ""), target).not.toMatch(/evil\.example|gopher/)
    }
    const quote = await raw(
      "POST /token HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    )
    expect(statusOf(quote)).toBe(402)
    expect(quote).not.toContain("evil.example")
  })
})

describe("failures of the gate", () => {
  it("HTP-25: are answered 503, without a sale or a handler call", async () => {
    const reported: unknown[] = []
    const broken = {
      ...service.issuer,
      handleGate: createHandleGate({
        gate: () => Promise.reject(new Error("the gate is broken")),
        challenges: createChallenges({
          issuer: service.url,
          resource: service.url,
          endpoints: endpointsOf(service.url, service.url),
          prices: { offers: service.issuer.config.offers, current: () => [] },
          x402v1: false,
        }),
        log: {
          ...service.issuer.log,
          error: (fields: Record<string, unknown>) => void reported.push(fields.err),
        },
      }),
    }
    let reached = 0
    service.app.get("/broken", gate(broken, "movies:read"), (_req, res) => {
      reached += 1
      res.send("paid body")
    })
    const answer = await ask("GET", "/broken", bearer())
    expect(statusOf(answer)).toBe(503)
    expect(answer).toMatch(/\r\nretry-after: \d+\r\n/i)
    expect(answer).not.toMatch(/payment-required|broken/i)
    expect(reached).toBe(0)
    expect(reported).toEqual([new Error("the gate is broken")])
  })

  it("HTP-29: POST /token never redirects", async () => {
    for (const target of [
      "/token",
      "/token/",
      "//token",
      "/TOKEN",
      "/token?x",
      "/%74oken",
      "/token/../token",
    ])
      for (const method of ["GET", "POST", "HEAD"]) {
        const status = statusOf(await ask(method, target, "Content-Length: 0"))
        expect(status < 300 || status >= 400, `${method} ${target}: ${status}`).toBe(true)
      }
  })
})
