import { createHash, createHmac } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createProxy, type ProxyListener } from "../../server/proxy/proxy.ts"
import { tokenHeader } from "../../shared/token-header.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentRequiredHeader, paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { acceptedOf, signPayment } from "../support/payments.ts"
import { sendRaw, statusesOf } from "../support/raw-http.ts"
import { openService, postToken, preparePurchase, type TestService } from "../support/service.ts"

const secret = "sk-upstream-0123456789"

type Arrived = {
  readonly method: string
  readonly url: string
  readonly headers: string
  readonly body: string
}

let upstream: Server
let base: string
let service: TestService
let proxy: ProxyListener
/** Requests as the upstream got them, bodies included. */
const arrived: Arrived[] = []
let answer: (req: IncomingMessage, res: ServerResponse) => void

const readBody = async (req: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

beforeAll(async () => {
  upstream = createServer(async (req, res) => {
    const body = await readBody(req).catch(() => Buffer.from("cut"))
    const { method = "", url = "", rawHeaders } = req
    arrived.push({
      method,
      url,
      headers: rawHeaders.join("\n"),
      body: createHash("sha256").update(body).digest("hex"),
    })
    answer(req, res)
  })
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  base = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const deadPort = await unusedPort()
  service = await openService({
    config: {
      services: {
        weather: {
          baseUrl: `${base}/v2`,
          bearer: { env: "WEATHER_KEY" },
          headers: { "X-API-Key": { env: "WEATHER_KEY" } },
          routes: {
            "GET /status": "free",
            "/free/*": "free",
            "GET /forecast/:city": { charge: "0.01" },
            "POST /inference": { session: { perCall: "0.0005", deposit: "0.10" } },
            "GET /live": { session: { perCall: "0.002", deposit: "0.10" } },
            "GET /archive/*": { scope: "movies:read", units: 2 },
          },
          maxBodyBytes: 40_000_000,
          timeoutSeconds: 1,
          freeRequestsPerMinute: 1_000_000,
        },
        signed: { baseUrl: base, routes: { "POST /*": "free", "GET /boom": "free" } },
        few: { baseUrl: base, routes: { "/*": "free" }, freeRequestsPerMinute: 2 },
        small: { baseUrl: base, routes: { "/*": "free" }, maxBodyBytes: 10 },
        lenient: {
          baseUrl: `${base}/lenient`,
          routes: {
            "GET /films/:id": { charge: "0.01" },
            "GET /films/:id/*": { charge: "0.01" },
            "/*": "free",
          },
          freeRequestsPerMinute: 1_000_000,
        },
        dead: { baseUrl: `http://127.0.0.1:${deadPort}`, routes: { "GET /*": { charge: "0.01" } } },
      },
    },
  })
  proxy = await createProxy(service.issuer, {
    environment: { WEATHER_KEY: secret },
    services: {
      signed: {
        async rewriteRequest(request) {
          if (request.url.pathname === "/boom") throw new Error("no key")
          const mac = createHmac("sha256", "key")
            .update(await request.body())
            .digest("hex")
          request.headers.set("x-signature", `${request.headers.get("host")} ${mac}`)
        },
        rewriteResponse(response, context) {
          response.headers.set("x-route", context.route)
        },
      },
    },
  })
  service.app.use((req, res) => proxy(req, res))
})
afterAll(async () => {
  await proxy.close()
  await service.close()
  upstream.closeAllConnections()
  await new Promise((resolve) => upstream.close(resolve))
})
beforeEach(() => {
  arrived.length = 0
  answer = (_req, res) => {
    res.setHeader("content-type", "text/plain")
    res.end("PAID")
  }
})

async function unusedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function offerFor(id: RegExp) {
  const found = service.issuer.config.offers.find((each) => id.test(each.id))
  if (!found) throw new Error(`no offer ${id}`)
  return found
}

async function buy(id: RegExp): Promise<{ readonly authorization: string }> {
  const accepted = acceptedOf(offerFor(id))
  const purchase = await preparePurchase({ accepted, url: service.url }, await service.customer())
  const sold = await postToken(service.url, purchase.headers)
  expect(sold.status).toBe(200)
  return { authorization: `Bearer ${sold.body.access_token}` }
}

const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${service.url}${path}`, { redirect: "manual", ...init })
const left = (response: Response) => /r=([0-9]+)/.exec(response.headers.get("ratelimit") ?? "")?.[1]

describe("a proxied route", () => {
  it("sells a charge route at the route, and forwards it once with the seller's credentials", async () => {
    const refused = await ask("/weather/forecast/paris")
    expect(refused.status).toBe(402)
    expect(refused.headers.get(paymentRequiredHeader)).not.toBeNull()
    expect(arrived).toEqual([])
    const { payload } = await signPayment({
      accepted: acceptedOf(offerFor(/^weather-[0-9a-f]{8}$/)),
      account: await service.customer(),
    })
    const paid = await ask("/weather/forecast/paris?days=3", {
      headers: { [paymentSignatureHeader]: encodeHeader(payload), "idempotency-key": "buyers-purchase-1" },
    })
    expect([paid.status, await paid.text()]).toEqual([200, "PAID"])
    expect(paid.headers.get("cache-control")).toBe("private, no-store")
    expect(arrived.map(({ method, url }) => `${method} ${url}`)).toEqual(["GET /v2/forecast/paris?days=3"])
    expect(arrived[0]?.headers).toContain(`Bearer ${secret}`)
    expect(arrived[0]?.headers).not.toMatch(/idempotency-key|payment-signature/i)
    const again = await ask("/weather/forecast/paris", {
      headers: { authorization: `Bearer ${paid.headers.get(tokenHeader)}` },
    })
    expect(again.status).toBe(402)
  })

  it("takes sessions of all routes from one deposit, each at its own price", async () => {
    const token = await buy(/^weather-session$/)
    const first = await ask("/weather/inference", { method: "POST", headers: token, body: "x" })
    expect([first.status, left(first)]).toEqual([200, "199"])
    const second = await ask("/weather/live", { headers: token })
    expect([second.status, left(second)]).toEqual([200, "195"])
    expect((await ask("/weather/forecast/paris", { headers: token })).status).toBe(402)
  })

  it("opens a scope route to offers of the configuration, and a free one to everybody", async () => {
    const token = await buy(/^hour$/)
    expect((await ask("/weather/archive/2026/1", { headers: token })).status).toBe(200)
    expect((await ask("/weather/status")).status).toBe(200)
    expect(arrived.map(({ url }) => url)).toEqual(["/v2/archive/2026/1", "/v2/status"])
  })

  it("answers 404 for what no route names, and forwards nothing", async () => {
    for (const path of [
      "/weather/other",
      "/weather",
      "/weather/",
      "/nothing/status",
      "/weather/status/",
      "/",
    ]) {
      const refused = await ask(path)
      expect([refused.status, await refused.json()], path).toEqual([404, { error: "no_such_route" }])
    }
    expect(arrived).toEqual([])
  })

  it("limits free calls of a peer, because they spend the seller's key", async () => {
    const statuses = []
    for (let call = 0; call < 3; call++) statuses.push((await ask("/few/x")).status)
    expect(statuses).toEqual([200, 200, 429])
  })
})

describe("the headers of a proxied call", () => {
  it("HTP-10: removes the buyer's credentials and internal headers, and sets the service's own", async () => {
    const headers = {
      authorization: "Bearer buyers-token",
      cookie: "a=buyers-cookie",
      dpop: "buyers-proof",
      "sign-in-with-x": "buyers-siwx",
      "payment-authorization": "buyers-mpp",
      "x-payment": "buyers-payment",
      "ticket402-token": "Bearer buyers-own",
      "ticket402-secret": "buyers-secret",
      forwarded: "for=buyers-forwarded",
      via: "1.1 buyers-via",
      "x-real-ip": "buyers-ip",
      "x-forwarded-for": "buyers-for",
      "x-forwarded-prefix": "buyers-prefix",
      x_forwarded_for: "buyers-underscore",
      "x-original-url": "/buyers-url",
      "x-rewrite-url": "/buyers-url",
      "x-http-method-override": "BUYERS",
      "x-api-key": "buyers-key",
      x_api_key: "buyers-key",
      "x-own": "kept",
    }
    expect((await ask("/weather/free/a", { headers })).status).toBe(200)
    const [sent] = arrived
    expect(sent?.headers).not.toMatch(/buyers/i)
    expect(sent?.headers).toContain("x-own\nkept")
    expect(sent?.headers).toContain(`x-api-key\n${secret}`)
    expect(sent?.headers).toContain("x-forwarded-for\n127.0.0.1")
    // A service without credentials replaces none.
    expect((await ask("/small/a", { headers })).status).toBe(200)
    expect(arrived[1]?.headers.replaceAll(/x[-_]api[-_]key\nbuyers-key/g, "")).not.toMatch(/buyers/i)
  })

  it("HTP-09: keeps the credentials that the client's Connection names, and drops its other names", async () => {
    const { port } = new URL(service.url)
    const text = await sendRaw(
      Number(port),
      "GET /weather/free/a HTTP/1.1\r\nHost: x\r\nConnection: close, Authorization, X-API-Key, X-Mine\r\nX-Mine: 1\r\n\r\n",
      15,
      true,
    )
    expect(statusesOf(text)).toEqual([200])
    expect(arrived[0]?.headers).toContain(`Bearer ${secret}`)
    expect(arrived[0]?.headers).toContain(`x-api-key\n${secret}`)
    expect(arrived[0]?.headers).not.toContain("X-Mine")
  })

  it("HTP-13: removes headers of an answer that act for the issuer or repeat a credential", async () => {
    answer = (_req, res) => {
      const acting = {
        "set-cookie": "a=1",
        "service-worker-allowed": "/",
        "clear-site-data": '"*"',
        "alt-svc": "h3",
        "strict-transport-security": "max-age=1",
        refresh: "0",
        "report-to": "{}",
        nel: "{}",
        "access-control-allow-origin": "*",
        "www-authenticate": "Basic",
        "payment-required": "x",
        "ticket402-token": "x",
        "x-echo": `key=${secret}`,
        connection: "x-hop",
        "x-hop": "1",
        "content-security-policy": "default-src *",
        "x-kept": "1",
      }
      res.writeHead(200, acting).end("ok")
    }
    const { headers } = await ask("/weather/free/a")
    const names = [...headers.keys()].filter((name) => !["date", "connection", "keep-alive"].includes(name))
    expect(names.sort()).toEqual(
      [
        "content-security-policy",
        "transfer-encoding",
        "x-content-type-options",
        "x-kept",
        "x-powered-by",
      ].filter((name) => headers.has(name)),
    )
    expect(headers.get("content-security-policy")).toBe("sandbox")
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("x-kept")).toBe("1")
  })

  it("refuses the script of a service worker", async () => {
    const refused = await ask("/weather/free/sw.js", { headers: { "service-worker": "script" } })
    expect([refused.status, await refused.json()]).toEqual([403, { error: "service_worker_refused" }])
    expect(arrived).toEqual([])
  })

  it("lets a hook sign the body and the final headers, and change the answer", async () => {
    const signed = await ask("/signed/pay?a=1", { method: "POST", body: "amount=1" })
    expect([signed.status, signed.headers.get("x-route")]).toEqual([200, "POST /*"])
    const mac = createHmac("sha256", "key").update("amount=1").digest("hex")
    expect(arrived[0]?.headers).toContain(`x-signature\n${new URL(base).host} ${mac}`)
    expect(arrived[0]?.body).toBe(createHash("sha256").update("amount=1").digest("hex"))
    const failed = await ask("/signed/boom")
    expect([failed.status, await failed.json()]).toEqual([500, { error: "server_error" }])
    expect(arrived).toHaveLength(1)
  })
})

describe("an answer of the upstream", () => {
  it("HTP-14: becomes 502 where it would ask the buyer for money or a login", async () => {
    const token = await buy(/^weather-session$/)
    for (const status of [401, 402, 407]) {
      answer = (_req, res) => res.writeHead(status, { "payment-required": "x" }).end("detail")
      const refused = await ask("/weather/live", { headers: token })
      expect([refused.status, await refused.json(), left(refused)]).toEqual([
        502,
        { error: "upstream_refused" },
        "200",
      ])
      expect(refused.headers.get("payment-required")).toBeNull()
    }
  })

  it("HTP-12: is never followed elsewhere, and its own addresses are rewritten", async () => {
    for (const [location, expected] of [
      [`${base}/v2/free/b?c=1`, "/weather/free/b?c=1"],
      ["b", "/weather/free/b"],
      ["/v2", "/weather/"],
      ["/v2x/b", undefined],
      ["/other", undefined],
      ["https://evil.example/v2/b", undefined],
      ["//evil.example/v2/b", undefined],
      ["javascript:alert(1)", undefined],
    ] as const) {
      answer = (_req, res) => res.writeHead(302, { location }).end()
      const moved = await ask("/weather/free/a")
      expect([moved.status, moved.headers.get("location") ?? undefined], location).toEqual(
        expected === undefined ? [502, undefined] : [302, expected],
      )
    }
  })

  it("costs nothing when the upstream fails, at most twenty times a grant and hour", async () => {
    const token = await buy(/^weather-session$/)
    answer = (req, res) => {
      const cut = req.url?.endsWith("cut")
      if (cut) res.destroy()
      else res.writeHead(500).end("broken")
    }
    const rest = []
    for (let call = 0; call < 22; call++)
      rest.push(left(await ask(`/weather/live?${call % 2 ? "cut" : ""}`, { headers: token })))
    expect(rest).toEqual([...Array<string>(20).fill("200"), "196", "192"])
  })

  it("leaves the unit of a failed charge call to the token that it returns", async () => {
    const { payload } = await signPayment({
      accepted: acceptedOf(offerFor(/^dead-/)),
      account: await service.customer(),
    })
    const failed = await ask("/dead/x", { headers: { [paymentSignatureHeader]: encodeHeader(payload) } })
    expect([failed.status, await failed.json(), left(failed)]).toEqual([
      502,
      { error: "upstream_unreachable" },
      "1",
    ])
    const authorization = `Bearer ${failed.headers.get(tokenHeader)}`
    expect((await ask("/dead/x", { headers: { authorization } })).status).toBe(502)
  })

  it("becomes 504 when its head is late, and costs nothing", async () => {
    const token = await buy(/^weather-session$/)
    answer = () => undefined
    const late = await ask("/weather/live", { headers: token })
    expect([late.status, await late.json(), left(late)]).toEqual([504, { error: "upstream_timeout" }, "200"])
  })

  it("is passed on in pieces as they come", async () => {
    let finish: () => void = () => undefined
    answer = (_req, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" })
      res.write("data: 1\n\n")
      finish = () => res.end("data: 2\n\n")
    }
    const response = await ask("/weather/free/events")
    const reader = response.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("data: 1\n\n")
    finish()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("data: 2\n\n")
    expect((await reader?.read())?.done).toBe(true)
  })

  it("HTP-16: is paid once by a buyer who breaks it off, and the upstream is cut", async () => {
    const token = await buy(/^weather-session$/)
    const cut = new Promise<void>((resolve) => {
      answer = (_req, res) => {
        res.once("close", resolve)
        res.writeHead(200).write("endless")
      }
    })
    const gone = new AbortController()
    const first = await ask("/weather/live", { headers: token, signal: gone.signal })
    expect(left(first)).toBe("196")
    gone.abort()
    await cut
    answer = (_req, res) => res.end()
    expect(left(await ask("/weather/live", { headers: token }))).toBe("192")
  })

  it("is cut for the buyer when the upstream cuts it or lies about its length", async () => {
    answer = (_req, res) => {
      res.writeHead(200, { "content-length": "100" })
      res.write("part", () => res.destroy())
    }
    const response = await ask("/weather/free/a")
    await expect(response.text()).rejects.toThrow()
  })

  it("becomes 502 when its headers are too long", async () => {
    answer = (_req, res) => {
      for (let at = 0; at < 2000; at++) res.setHeader(`x-${at}`, "value")
      res.end()
    }
    const refused = await ask("/weather/free/a")
    expect([refused.status, await refused.json()]).toEqual([502, { error: "upstream_unreachable" }])
  })
})

describe("a body of a proxied call", () => {
  it("arrives whole, with its length or in chunks", async () => {
    const body = Buffer.alloc(3_000_000, "b")
    const hash = createHash("sha256").update(body).digest("hex")
    expect((await ask("/weather/free/a", { method: "PUT", body })).status).toBe(200)
    const stream = new Blob([body]).stream()
    const chunked = { method: "PUT", body: stream, duplex: "half" } as RequestInit
    expect((await ask("/weather/free/a", chunked)).status).toBe(200)
    expect(arrived.map((each) => each.body)).toEqual([hash, hash])
  })

  it("is refused beyond the limit, by its length or by its bytes", async () => {
    const stream = new Blob(["0123456789ab"]).stream()
    const chunked = { method: "POST", body: stream, duplex: "half" } as RequestInit
    for (const init of [{ method: "POST", body: "0123456789ab" }, chunked]) {
      const refused = await ask("/small/x", init)
      expect([refused.status, await refused.json()]).toEqual([413, { error: "body_too_large" }])
    }
  })
})

/** Spellings of a path below a service, most of which lead a lenient server to `film`. */
const spellingsOf = (film: string): readonly string[] => [
  ...[film, film.toUpperCase(), `${film}/`, film.replace("/", "//"), `./${film}`, `/${film}`, `${film}?`],
  ...[`free/../${film}`, `free/%2e%2e/${film}`, `free/..%2f${film}`, `free\\..\\${film}`, `x/.%2e/${film}`],
  ...[
    `free/%252e%252e/${film}`,
    `free/%c0%ae%c0%ae/${film}`,
    film.replace("/", "%2F"),
    film.replace("/", "%5C"),
  ],
  ...[`%66${film.slice(1)}`, `%46${film.slice(1)}`, `${film};x`, `${film}%3Bx`, `${film}%00`, `${film}#`],
  ...[
    `%EF%BD%86${film.slice(1)}`,
    film.replace("s", "%C5%BF"),
    film.replace("/", "%EF%BC%8F"),
    `${film}%2e/../`,
  ],
  "free/a",
]

const tricks = [
  "",
  "X-HTTP-Method-Override: GET",
  "X-Original-URL: /v2/forecast/paris",
  "Authorization: Bearer x",
]
tricks.push(
  "X-Rewrite-URL: /lenient/films/7",
  "Connection: Authorization",
  "X-Forwarded-Prefix: /",
  "Upgrade: h2c",
)

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "PROPFIND"]

it("HTP-01: no spelling, method or header opens a paid route of a lenient upstream unpaid", async () => {
  const port = Number(new URL(service.url).port)
  const paths = [...spellingsOf("forecast/paris").map((path) => `weather/${path}`)]
  paths.push(...spellingsOf("films/7").map((path) => `lenient/${path}`))
  const requests = paths.flatMap((path) =>
    methods.flatMap((method) =>
      tricks.map(
        (trick) =>
          `${method} /${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${trick && `${trick}\r\n`}\r\n`,
      ),
    ),
  )
  for (let at = 0; at < requests.length; at += 50)
    await Promise.all(requests.slice(at, at + 50).map((request) => sendRaw(port, request, 30, true)))
  /** As a server reads it that decodes, resolves and ignores case. */
  const read = arrived.map(
    ({ method, url }) => `${method} ${decodeURIComponent(new URL(url, base).pathname).toLowerCase()}`,
  )
  expect(read.filter((line) => /^(?:GET|HEAD) .*(?:films\/7|forecast\/paris)/.test(line))).toEqual([])
  expect(read.filter((line) => line.includes("forecast"))).toEqual([])
  expect(read.filter((line) => line === "GET /v2/free/a").length).toBe(tricks.length)
  expect(read.filter((line) => line === "GET /lenient/free/a").length).toBe(tricks.length)
}, 60_000)
