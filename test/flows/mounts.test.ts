/** Endpoints below a path, behind proxies that remove the path, and at places where no buyer finds them. */
import { createServer, request as httpRequest } from "node:http"
import { createRequire } from "node:module"
import express5, { type Express, type RequestHandler, Router } from "express"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createClient } from "../../client/index.ts"
import { authorizationServer, gate } from "../../server/adapters/express.ts"
import { createIssuer, type Issuer } from "../../server/app/issuer.ts"
import { freePort } from "../support/free-port.ts"
import { listen } from "../support/listen.ts"
import { sepoliaId } from "../support/offers.ts"
import { openService, postToken, preparePurchase, type TestService, watch } from "../support/service.ts"

type Framework = typeof express5
const express4 = createRequire(import.meta.url)("express4") as Framework
const frameworks: [string, Framework][] = [
  ["express 5", express5],
  ["express 4", express4],
]

let chain: TestService
let logged: { level: string; message: string; fields: object }[] = []
const opened: Issuer[] = []
beforeAll(async () => {
  chain = await openService()
})
beforeEach(() => {
  logged = []
})
afterAll(async () => {
  for (const issuer of opened) await issuer.close()
  await chain.close()
})

const note = (level: string) => (fields: object, message: string) =>
  void logged.push({ level, message, fields })
const log = { debug: () => {}, info: () => {}, warn: note("warn"), error: note("error") }
const problems = () => logged.filter(({ message }) => /advertised/.test(message))

/** A service with that public URL, on the chain of this file. */
async function serviceAt(issuerUrl: string): Promise<Issuer> {
  const keys = `${chain.folder}/${opened.length}`
  const issuer = await createIssuer(
    {
      ...chain.config,
      issuer: issuerUrl,
      database: "memory:",
      keys: `${keys}-keys`,
      relayer: { privateKeyFile: `${keys}-relayer.key` },
    },
    { log },
  )
  opened.push(issuer)
  await chain.chain.fund(issuer.relayer)
  return issuer
}

const film = (issuer: Issuer): [string, RequestHandler, RequestHandler] => [
  "/movies/:id",
  gate(issuer, "movies:read"),
  (req, res) => void res.json({ id: req.params.id }),
]

const buy = async (url: string, issuer: Issuer) => {
  const { headers } = await preparePurchase(chain, await chain.customer(), {
    resource: issuer.config.resource,
  })
  return postToken(url, headers)
}

describe.each(frameworks)("endpoints with a path on %s", (_name, framework) => {
  const nest: Record<string, (issuer: Issuer) => Express> = {
    "at the root": (issuer) => framework().use(authorizationServer(issuer)),
    "at the path": (issuer) => framework().use("/shop", authorizationServer(issuer)),
    "in a router": (issuer) => framework().use("/shop", Router().use(authorizationServer(issuer))),
    "in an application": (issuer) => framework().use("/shop", framework().use(authorizationServer(issuer))),
  }

  it.each(Object.keys(nest))("sell, refresh and answer proxies: mounted %s", async (place) => {
    const issuer = await serviceAt("https://films.example/shop")
    const app = nest[place]!(issuer)
    app.get(...film(issuer))
    const { url } = await listen(app)
    const refused = await watch(url)
    expect(refused.body.extensions["access-token"].info.tokenEndpoint).toBe(
      "https://films.example/shop/token",
    )
    const bought = await buy(`${url}/shop`, issuer)
    expect(bought.status).toBe(200)
    const parameters = { grant_type: "refresh_token", refresh_token: bought.body.refresh_token }
    const again = await fetch(`${url}/shop/token`, { method: "POST", body: new URLSearchParams(parameters) })
    expect(again.status).toBe(200)
    const { access_token: token } = (await again.json()) as { access_token: string }
    expect((await watch(url, token)).status).toBe(200)
    expect((await watch(`${url}/shop/gate/envoy/movies:read`, token)).status).toBe(200)
  })

  it("serve metadata with the path inserted, and log where a mount hides it", async () => {
    const documents = ["oauth-authorization-server", "oauth-protected-resource"].map(
      (name) => `/.well-known/${name}/shop`,
    )
    const whole = await serviceAt("https://films.example/shop")
    const { url } = await listen(nest["at the root"]!(whole))
    for (const document of documents) expect((await fetch(`${url}${document}`)).status, document).toBe(200)
    expect(problems()).toEqual([])
    const issuer = await serviceAt("https://films.example/shop")
    const { url: other } = await listen(nest["at the path"]!(issuer))
    for (let request = 0; request < 2; request++) await buy(`${other}/shop`, issuer)
    expect(problems()).toMatchObject([
      {
        level: "warn",
        fields: { documents: documents.map((document) => `https://films.example${document}`) },
      },
    ])
  })

  it.each(["https://films.example", "https://films.example/store"])(
    "sell nothing where no buyer finds them: mounted at /shop for %s",
    async (issuerUrl) => {
      const issuer = await serviceAt(issuerUrl)
      const app = nest["at the path"]!(issuer)
      app.get(...film(issuer))
      const { url } = await listen(app)
      for (let request = 0; request < 2; request++) {
        const refused = await watch(url)
        expect([refused.status, refused.body.reason]).toEqual([503, "token_endpoint_unserved"])
        expect(refused.headers.get("payment-required")).toBeNull()
      }
      expect(problems()).toMatchObject([{ level: "error", fields: { tokenEndpoint: `${issuerUrl}/token` } }])
      // Tokens from before the mistake still open the route.
      const whole = framework().use(authorizationServer(issuer))
      const { access_token } = (await buy((await listen(whole)).url, issuer)).body
      expect((await watch(url, access_token)).status).toBe(200)
    },
  )

  it("leave the application's own routes alone", async () => {
    const issuer = await serviceAt("https://films.example/shop")
    const app = nest["at the root"]!(issuer)
    app.get("/.well-known/jwks.json", (_req, res) => void res.json({ own: true }))
    const { url } = await listen(app)
    expect(await (await fetch(`${url}/.well-known/jwks.json`)).json()).toEqual({ own: true })
    expect((await fetch(`${url}/shop/.well-known/jwks.json`)).status).toBe(200)
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
    const below = nest["at the path"]!(issuer)
    below.post("/token", (_req, res) => void res.json({ own: true }))
    const { url: other } = await listen(below)
    expect((await postToken(other, {})).body).toEqual({ own: true })
    expect((await buy(`${other}/shop`, issuer)).status).toBe(200)
  })
})

describe("a proxy that removes the path", () => {
  it.each(["/shop", "/films/shop"])("has buyers that pay and refresh: %s", async (path) => {
    const port = await freePort()
    const issuer = await serviceAt(`http://127.0.0.1:${port}${path}`)
    const app = express5().use(authorizationServer(issuer))
    app.get(...film(issuer))
    const { port: behind } = await listen(app)
    const front = createServer((req, res) => {
      if (!req.url?.startsWith(`${path}/`)) {
        res.writeHead(404).end()
        return
      }
      const { method, headers } = req
      const target = { port: behind, path: req.url.slice(path.length), method, headers }
      req.pipe(
        httpRequest(target, (answer) => {
          res.writeHead(answer.statusCode ?? 500, answer.headers)
          answer.pipe(res)
        }),
      )
    })
    front.listen(port, "127.0.0.1")
    try {
      const client = createClient({
        account: await chain.customer(),
        budget: { perPurchase: "0.05", perDay: "1" },
        networks: [sepoliaId],
      })
      const seen = await client.fetch(`http://127.0.0.1:${port}${path}/movies/7`)
      expect([seen.status, await seen.json()]).toEqual([200, { id: "7" }])
      expect(problems()).toEqual([])
    } finally {
      front.close()
      front.closeAllConnections()
    }
  })
})
