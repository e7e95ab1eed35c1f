import { once } from "node:events"
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { decodeHeader } from "../../shared/values/codec.ts"
import { hasNginx, type Nginx, startNginx } from "../support/nginx.ts"
import { createProofKey, proofOf } from "../support/proofs.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  type TestService,
  watch,
} from "../support/service.ts"

let service: TestService
/** An API without knowledge of tokens, and the requests it received. */
let upstream: Server
let seen: { method: string | undefined; headers: IncomingHttpHeaders; body: string }[] = []

beforeAll(async () => {
  service = await openService({ config: { trustProxy: ["127.0.0.1"] } })
  upstream = createServer(async (request, response) => {
    let body = ""
    for await (const part of request) body += part
    seen.push({ method: request.method, headers: request.headers, body })
    const status = request.url === "/movies/locked" ? 401 : 200
    response.writeHead(status, { "cache-control": "public, max-age=600", "content-type": "application/json" })
    response.end(JSON.stringify({ path: request.url }))
  }).listen(0, "127.0.0.1")
  await once(upstream, "listening")
})
afterAll(async () => {
  upstream.close()
  upstream.closeAllConnections()
  await service.close()
})

const portOf = (server: Server) => (server.address() as AddressInfo).port
const buy = async () =>
  (await postToken(service.url, (await preparePurchase(service, await service.customer())).headers)).body
const revoke = async (token: string) => {
  const { status } = await fetch(`${service.url}/revoke`, {
    method: "POST",
    body: new URLSearchParams({ token }),
  })
  expect(status).toBe(200)
}

describe.skipIf(!hasNginx)("nginx with docs/samples/nginx.conf", () => {
  let nginx: Nginx
  let front: string
  beforeAll(async () => {
    nginx = await startNginx({ router: new URL(service.url).host, movies: `127.0.0.1:${portOf(upstream)}` })
    front = nginx.url
  })
  afterAll(() => nginx.stop())

  it("passes on the gate's whole 402 without calling the API", async () => {
    seen = []
    const [through, direct] = [await watch(front), await watch(service.url)]
    expect(through.status).toBe(402)
    expect(through.body).toEqual({
      ...direct.body,
      resource: { ...direct.body.resource, url: service.url },
    })
    expect(decodeHeader(through.headers.get("payment-required") ?? "")).toEqual(through.body)
    expect(through.headers.get("www-authenticate")).toBe(direct.headers.get("www-authenticate"))
    expect(through.headers.get("cache-control")).toBe("no-store")
    const posted = await fetch(`${front}/movies/1`, { method: "POST", body: "x".repeat(1000) })
    expect(posted.status).toBe(402)
    expect(seen).toEqual([])
  })

  it("passes a bought token's calls and removes the token from them", async () => {
    seen = []
    const purchase = await preparePurchase(service, await service.customer())
    const { body } = await postToken(front, purchase.headers)
    const answer = await fetch(`${front}/movies/7`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${body.access_token}`,
        "ticket402-subject": "someone else",
        "ticket402-token": `Bearer ${body.access_token}`,
        "ticket402-paid": "false",
      },
      body: "a long body",
    })
    expect({ status: answer.status, body: await answer.json() }).toEqual({
      status: 200,
      body: { path: "/movies/7" },
    })
    expect(answer.headers.get("cache-control")).toBe("private, no-store")
    expect(seen).toMatchObject([{ method: "POST", body: "a long body" }])
    expect(seen[0]?.headers).toMatchObject({
      "ticket402-subject": expect.stringMatching(/^eip155:11155111:0x[0-9a-f]{40}$/),
      "ticket402-grant": body.grant.id,
    })
    expect(seen[0]?.headers.authorization).toBeUndefined()
    expect(seen[0]?.headers["ticket402-token"]).toBeUndefined()
    expect(seen[0]?.headers["ticket402-paid"]).toBeUndefined()
    // The API's own 401 is passed on unchanged.
    expect((await watch(front, body.access_token, "/movies/locked")).body).toEqual({
      path: "/movies/locked",
    })
  })

  it("TOK-16: passes a bound token with a proof for the requested address", async () => {
    const key = await createProofKey()
    const { headers } = await preparePurchase(service, await service.customer())
    const prove = (path: string, method: string, token?: string, nonce?: string) =>
      proofOf(key, {
        url: `${service.url}${path}`,
        method,
        token,
        nonce,
        at: Math.floor(Date.now() / 1000),
      })
    const asked = await postToken(front, { ...headers, dpop: await prove("/token", "POST") })
    const nonce = asked.headers.get("dpop-nonce") ?? ""
    const sold = await postToken(front, {
      ...headers,
      dpop: await prove("/token", "POST", undefined, nonce),
    })
    const token = sold.body.access_token
    const callWithProof = async (method: string, dpop: string) => {
      const authorization = `DPoP ${token}`
      return fetch(`${front}/movies/8?from=2`, { method, headers: { authorization, dpop } })
    }
    expect((await watch(front, token)).body.reason).toBe("dpop_missing")
    const without = await callWithProof("GET", await prove("/movies/8", "GET", token))
    expect(without.status).toBe(401)
    expect(without.headers.get("dpop-nonce")).toBe(nonce)
    expect(await without.json()).toMatchObject({ error: "use_dpop_nonce" })
    seen = []
    const good = await prove("/movies/8", "PUT", token, nonce)
    const wrong = [
      good,
      await prove("/movies/9", "PUT", token, nonce),
      await prove("/movies/8", "GET", token, nonce),
    ]
    expect((await callWithProof("PUT", good)).status).toBe(200)
    for (const dpop of wrong) expect((await callWithProof("PUT", dpop)).status).toBe(401)
    expect(seen).toHaveLength(1)
    expect(seen[0]?.headers.dpop).toBeUndefined()
  })

  it("passes a login on and removes the token, where the token has a header of its own", async () => {
    const router = new URL(service.url).host
    const front = await startNginx({ router, movies: `127.0.0.1:${portOf(upstream)}`, hasLogin: true })
    try {
      seen = []
      const { access_token } = await buy()
      const authorization = "Basic dXNlcjpwYXNz"
      const ask = (headers: Record<string, string>) => fetch(`${front.url}/movies/7`, { headers })
      const refused = await ask({ authorization })
      expect(refused.status).toBe(402)
      const price = decodeHeader(refused.headers.get("payment-required") ?? "")
      const info = { tokenHeader: "Ticket402-Token" }
      expect(price).toMatchObject({ extensions: { "access-token": { info } } })
      expect((await ask({ authorization, "ticket402-token": `Bearer ${access_token}` })).status).toBe(200)
      expect(seen).toHaveLength(1)
      expect(seen[0]?.headers).toMatchObject({ authorization })
      expect(seen[0]?.headers["ticket402-token"]).toBeUndefined()
    } finally {
      await front.stop()
    }
  })

  it("passes no OPTIONS request without a token", async () => {
    const { status } = await fetch(`${front}/movies/1`, { method: "OPTIONS" })
    expect(status).toBe(402)
  })

  it("TOK-20, N-7009-1: refuses whatever the gate refuses, with the gate's answer", async () => {
    const { access_token: token } = await buy()
    expect((await watch(front, "a.b.c")).body.reason).toBe("token_invalid")
    const two = ["authorization", `Bearer ${token}`, "authorization", `Bearer ${token}`]
    expect(await statusOf(front, two)).toBe(400)
    expect((await watch(front, token)).status).toBe(200)
    await revoke(token)
    const from = performance.now()
    const refused = await eventually(
      () => watch(front, token),
      ({ status }) => status !== 200,
    )
    expect((performance.now() - from) / 1000).toBeLessThan(5)
    expect(refused).toMatchObject({
      status: 401,
      body: { reason: "token_revoked", next: { action: "stop" } },
    })
    expect(refused.headers.get("payment-required")).toBeNull()
    // The gate's internal paths are not public.
    for (const path of ["/gate/nginx/movies:read", "/_ticket/movies"])
      expect((await fetch(`${front}${path}`)).status).toBe(404)
  })
})

describe("the endpoint for Envoy's ext_authz filter", () => {
  /** The filter sends the request's method, and its path behind the prefix; 200 passes it. */
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET", form = "envoy") =>
    raw(`${service.url}/gate/${form}/movies:read${path}`, method, headers)

  it("passes a valid token for any method and path and names its grant", async () => {
    const { access_token: token, grant } = await buy()
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]) {
      const { status, headers } = await ask(
        "/movies/7?year=1968",
        { authorization: `Bearer ${token}` },
        method,
      )
      expect(status, method).toBe(200)
      expect(headers["ticket402-grant"]).toBe(grant.id)
    }
    for (const [path, authorization] of [
      ["/movies/7?access_token=a", `Bearer ${token}`],
      ["/movies/7", `Bearer ${token}, Bearer ${token}`],
    ] as const)
      expect((await ask(path, { authorization })).status).toBe(400)
  })

  it("returns the gate's 402 for a request without a token", async () => {
    for (const method of ["GET", "POST", "PROPFIND"]) {
      const { status, headers, body } = await ask("/movies/7", {}, method)
      expect(status).toBe(402)
      expect(decodeHeader(String(headers["payment-required"]))).toEqual(JSON.parse(body))
      expect(headers["www-authenticate"]).toContain("resource_metadata=")
    }
    const paying = await ask("/movies/7", { "payment-signature": "e30=" })
    expect(JSON.parse(paying.body).error).toBe("pay_at_token_endpoint")
  })

  it("HTP-01, HTP-02: is bound to its scope and form, whatever path follows", async () => {
    const { access_token: token } = await buy()
    const authorization = `Bearer ${token}`
    const prefix = `${service.url}/gate/envoy/movies:write`
    for (const path of [
      "/../movies:read/7",
      "/..%2fmovies:read/7",
      "/%2e%2e/movies:read/7",
      "/../../../health/live",
      "/../../../.well-known/jwks.json",
      "/..;/movies:read",
      "/\\..\\movies:read",
      "//movies:read",
    ]) {
      const { status } = await raw(`${prefix}${path}`, "GET", { authorization })
      expect(status, path).toBe(402)
    }
    for (const path of ["", "/", "x/movies/7", "%ff/movies", ":read"])
      expect((await raw(`${prefix}${path}`, "GET", { authorization })).status === 200, path).toBe(false)
  })

  it("answers nginx 200 or 401 only, and a refusal never as success", async () => {
    const { access_token: token } = await buy()
    for (const [headers, status] of [
      [{}, 401],
      [{ authorization: "Basic a" }, 401],
      [{ authorization: "Bearer a, Bearer b" }, 401],
      [{ authorization: `Bearer ${token}` }, 200],
    ] as const)
      expect((await ask("", headers, "GET", "nginx")).status).toBe(status)
    const misused = await ask("", { authorization: `Bearer ${token}` }, "GET", "refusal")
    expect(misused).toMatchObject({ status: 503, headers: { "retry-after": "1" } })
  })
})

const statusOf = async (url: string, headers: string[]) =>
  (await raw(`${url}/movies/1`, "GET", ["host", new URL(url).host, ...headers])).status

/** Sends the path unchanged; `fetch` would resolve its dot segments. */
async function raw(url: string, method: string, headers: Record<string, string> | string[]) {
  const [, host = "", port = "", path = "/"] = /^http:\/\/([^:/]+):(\d+)(.*)$/.exec(url) ?? []
  const request = httpRequest({ host, port, path, method, headers, setHost: !Array.isArray(headers) })
  const responded = once(request, "response")
  request.end()
  const [response] = await responded
  let body = ""
  for await (const part of response) body += part
  return { status: response.statusCode as number, headers: response.headers as IncomingHttpHeaders, body }
}
