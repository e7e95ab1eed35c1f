/** The express adapter on express 4, which many applications still run on. */
import { once } from "node:events"
import { createRequire } from "node:module"
import type { ErrorRequestHandler, Express } from "express"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { authorizationServer, gate } from "../../server/adapters/express.ts"
import {
  offer,
  openService,
  postToken,
  preparePurchase,
  refresh,
  type TestService,
  watch,
} from "../support/service.ts"

const express4 = createRequire(import.meta.url)("express4") as () => Express

let service: TestService
beforeAll(async () => {
  service = await openService({ framework: express4 })
})
afterAll(() => service.close())

describe("express 4", () => {
  it("sells a token at the token endpoint, refreshes it, and lets it through the gate", async () => {
    const refused = await watch(service.url)
    expect([refused.status, refused.body.resource.url]).toEqual([402, `${service.url}/movies/{id}`])
    const { headers } = await preparePurchase(service, await service.customer())
    const bought = await postToken(service.url, headers)
    expect(bought.status).toBe(200)
    const refreshed = await refresh(service.url, bought.body.refresh_token)
    expect(refreshed.status).toBe(200)
    const seen = await watch(service.url, refreshed.body.access_token)
    expect([seen.status, seen.body]).toEqual([200, { id: "1" }])
  })

  it("charges the cost of a named route, and answers 503 if a mount hides the name", async () => {
    const counted = await openService({
      chain: service.chain,
      framework: express4,
      config: {
        offers: [{ ...offer("calls", "movies:read movies:write", "0.01"), calls: 9 }],
        costs: { "GET /films/{id}": 5 },
      },
    })
    try {
      const answer = (_: unknown, res: { json(body: object): void }) => res.json({})
      counted.app.get("/films/:id", gate(counted.issuer, "movies:read"), answer)
      const mounted = express4()
      mounted.get("/films/:id", gate(counted.issuer, "movies:read"), answer)
      counted.app.use("/more", mounted)
      const { headers } = await preparePurchase(counted, await counted.customer())
      const { access_token } = (await postToken(counted.url, headers)).body
      const seen = await watch(counted.url, access_token, "/films/7")
      expect([seen.status, seen.headers.get("ratelimit")]).toEqual([200, '"grant";r=4'])
      expect((await watch(counted.url, access_token, "/more/films/7")).status).toBe(503)
    } finally {
      await counted.close()
    }
  })

  it.each(["/token", "/late"])(
    "hands a failure at %s to the error handler and keeps running",
    async (path) => {
      const app = express4()
      const reported: unknown[] = []
      const report: ErrorRequestHandler = (error, _req, _res, _next) => void reported.push(error.code)
      // The answer is out before ticket402 can give its own.
      app.use((_req, res, next) => {
        res.end()
        next()
      })
      app.use(authorizationServer(service.issuer))
      app.get("/late", gate(service.issuer, "movies:read"))
      app.use(report)
      const server = app.listen(0, "127.0.0.1")
      await once(server, "listening")
      try {
        const { port } = server.address() as { port: number }
        await fetch(`http://127.0.0.1:${port}${path}`)
        await expect.poll(() => reported).toEqual(["ERR_HTTP_HEADERS_SENT"])
      } finally {
        server.close()
      }
    },
  )
})
