import { once } from "node:events"
import type { AddressInfo } from "node:net"
import express, { type Express, Router } from "express"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { authorizationServer, gate } from "../../../../server/adapters/express.ts"
import type { Issuer } from "../../../../server/app/issuer.ts"
import { createChallenges } from "../../../../server/gate/challenges.ts"
import { createHandleGate } from "../../../../server/gate/handle-gate.ts"
import { endpointsOf } from "../../../../server/http/metadata.ts"
import type { Claims } from "../../../../shared/oauth/access-token.ts"

const noLists = { methods: [], allowHeaders: [], exposeHeaders: [] }
const url = "https://cinema.example"
/** The cost of the last call, as the gate was asked to charge it. */
let charged: number | undefined
let warned: string[] = []
let failed: string[] = []
const stops: (() => void)[] = []
afterEach(() => {
  charged = undefined
  warned = []
  failed = []
  for (const stop of stops.splice(0)) stop()
})

/** An issuer whose gate passes every call and notes its cost. */
function issuerWith(costs: Record<string, number> = {}): Issuer {
  const log = {
    debug: () => {},
    info: () => {},
    warn: (_fields: object, message: string) => void warned.push(message),
    error: ({ err }: { err?: Error }) => void failed.push(err?.message ?? ""),
  } as Issuer["log"]
  const prices = { offers: [], current: () => [] }
  const handleGate = createHandleGate({
    gate: async ({ cost }) => {
      charged = cost
      return { kind: "pass", claims: {} as Claims, charge: null }
    },
    challenges: createChallenges({
      issuer: url,
      resource: url,
      endpoints: endpointsOf(url, url),
      prices,
      x402v1: false,
    }),
    log,
  })
  const scoped = [{ scope: "movies:read movies:write" }]
  const config = {
    issuer: url,
    costs,
    offers: scoped,
    whitelist: [],
    trustProxy: [],
    cors: [],
    corsLists: noLists,
  }
  return { config, handleGate, log, router: { serves: () => false } } as unknown as Issuer
}

/** Listens until the test ends; answers with the cost of a call, or its status where it was refused. */
async function open(app: Express): Promise<(path: string, method?: string) => Promise<number>> {
  const server = app.listen(0, "127.0.0.1")
  await once(server, "listening")
  stops.push(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  return async (path, method = "GET") => {
    const { status } = await fetch(`http://127.0.0.1:${port}${path}`, { method })
    return status === 200 ? (charged ?? 0) : status
  }
}

type Mount = (app: Express, issuer: Issuer) => void
const end: express.RequestHandler = (_req, res) => void res.end()
const guard = (issuer: Issuer) => gate(issuer, "movies:read")
const films: Mount = (app, issuer) => app.use("/films", guard(issuer), end)
const tenants: Mount = (app, issuer) => {
  const router = Router()
  router.get("/films/:id", guard(issuer), end)
  app.use("/tenants/:tenant", router)
}
const list: Mount = (app, issuer) => app.get(["/films", "/movies"], guard(issuer), end)
const optional: Mount = (app, issuer) => app.get("/films{/:id}", guard(issuer), end)
const lists: Mount = (app, issuer) => {
  const router = Router()
  router.get(["/a", "/b/:id"], guard(issuer), end)
  app.use(["/x", "/y"], router)
}
const nested: Mount = (app, issuer) => {
  const inner = express()
  inner.get("/films/:id", guard(issuer), end)
  app.use("/v1", inner)
}
const twice: Mount = (app, issuer) => {
  const router = Router()
  router.get("/:id", guard(issuer), end)
  app.use("/films", router)
  app.use("/shorts", router)
}
const index: Mount = (app, issuer) => {
  const router = Router()
  router.get("/", guard(issuer), end)
  app.use("/films", router)
}
const rewritten: Mount = (app, issuer) => {
  app.use((req, _res, next) => {
    req.url = req.url.replace("/old", "/films")
    next()
  })
  app.get("/films/:id", guard(issuer), end)
}
const wrapped: Mount = (app, issuer) => {
  const inner = guard(issuer)
  app.get("/films/:id", (req, res, next) => inner(req, res, next), end)
}
const shared: Mount = (app, issuer) => {
  const one = guard(issuer)
  app.get("/films/:id", one, end)
  app.post("/films/:id", one, end)
  app.get("/films/:id/cut", one, end)
}

describe("the cost of a call at an express route", () => {
  it.each<[string, Mount, Record<string, number>, Record<string, number>]>([
    [
      "a mount, in any case",
      films,
      { "GET /films": 5 },
      { "/films": 5, "/FILMS": 5, "/Films/7": 5, "/films/": 5 },
    ],
    [
      "a mount with a parameter",
      tenants,
      { "GET /tenants/{tenant}/films/{id}": 5 },
      { "/tenants/a/films/1": 5, "/TENANTS/%61/Films/2/": 5, "/tenants/:tenant/films/:id": 5 },
    ],
    ["a list of paths with one cost", list, { "GET /films": 5 }, { "/films": 5, "/movies": 5, "/MOVIES": 5 }],
    [
      "a list of paths with two costs",
      list,
      { "GET /films": 5, "GET /movies": 3 },
      { "/films": 5, "/Movies/": 3 },
    ],
    [
      "an optional part with one cost",
      optional,
      { "GET /films/{id}": 5 },
      { "/films/7": 5, "/films": 5, "/FILMS/": 5 },
    ],
    [
      "an optional part with two costs",
      optional,
      { "GET /films/{id}": 5, "GET /films": 2 },
      { "/films/7": 5, "/films": 2 },
    ],
    ["an optional part named whole", optional, { "GET /films{/{id}}": 5 }, { "/films/7": 5, "/films": 5 }],
    [
      "lists in lists",
      lists,
      { "GET /x/a": 2, "GET /y/b/{id}": 7 },
      { "/x/a": 2, "/Y/B/1": 7, "/y/a": 7, "/x/b/1": 7 },
    ],
    [
      "an application in another",
      nested,
      { "GET /v1/films/{id}": 5 },
      { "/v1/films/7": 5, "/V1/FILMS/7": 5 },
    ],
    [
      "a router mounted twice",
      twice,
      { "GET /films/{id}": 5, "GET /shorts/{id}": 2 },
      { "/films/1": 5, "/SHORTS/1": 2 },
    ],
    ["the index of a router", index, { "GET /films": 5 }, { "/films": 5, "/films/": 5, "/FILMS": 5 }],
    ["a rewritten address", rewritten, { "GET /films/{id}": 5 }, { "/old/7": 5, "/films/7": 5 }],
    ["a gate in a function", wrapped, { "GET /films/{id}": 5 }, { "/films/7": 5, "/Films/7": 5 }],
    [
      "a gate at several routes",
      shared,
      { "GET /films/{id}": 2, "POST /films/{id}": 9, "GET /films/{id}/cut": 4 },
      { "/films/7": 2, "/films/7/cut": 4, "/films/7/CUT/": 4 },
    ],
  ])("comes from the layers of the router: %s", async (_name, mount, costs, expected) => {
    const app = express()
    mount(app, issuerWith(costs))
    const ask = await open(app)
    const seen: Record<string, number> = {}
    for (const path of Object.keys(expected)) seen[path] = await ask(path)
    expect(seen).toEqual(expected)
  })

  it("is one for every spelling of a URL that reaches the route", async () => {
    const app = express()
    for (const mount of [films, tenants, optional])
      mount(app, issuerWith({ "GET /films": 5, "GET /films/{id}": 5, "GET /tenants/{tenant}/films/{id}": 5 }))
    const ask = await open(app)
    const letter = (text: string) =>
      fc.tuple(...[...text].map((each) => fc.constantFrom(each, each.toUpperCase())))
    const spelt = (text: string) => letter(text).map((letters) => letters.join(""))
    const word = fc.stringMatching(/^[a-z0-9:{}*.~-]{1,8}$/)
    const path = fc.oneof(
      fc.tuple(spelt("/films"), fc.constantFrom("", "/", "?x=1")).map((parts) => parts.join("")),
      fc.tuple(spelt("/tenants/"), word, spelt("/films/"), word).map((parts) => parts.join("")),
    )
    await fc.assert(
      fc.asyncProperty(path, async (target) => {
        const cost = await ask(target)
        if (cost !== 404) expect(cost, target).toBe(5)
      }),
      { numRuns: 150 },
    )
  })

  it("is that of GET for HEAD, and of no other method", async () => {
    const app = express()
    shared(app, issuerWith({ "GET /films/{id}": 2, "POST /films/{id}": 9, "GET /films/{id}/cut": 4 }))
    const ask = await open(app)
    expect([await ask("/films/1", "HEAD"), await ask("/films/1", "POST")]).toEqual([2, 9])
  })

  it("refuses requests when the name fits no route, and logs the nearest route", async () => {
    for (const key of ["GET /film/{id}", "POST /films/{id}", "HEAD /films/{id}", "GET /films/{name}"]) {
      failed = []
      const app = express()
      const issuer = issuerWith({ [key]: 5 })
      app.get("/films/:id", guard(issuer), end)
      const ask = await open(app)
      expect(await ask("/films/7"), key).toBe(503)
      expect(failed, key).toEqual([
        `costs.${key}: found no route of that name, did you mean "GET /films/{id}"?`,
      ])
    }
  })

  it("logs a warning when the gate is not on the named route", async () => {
    const app = express()
    const issuer = issuerWith({ "GET /films/{id}": 5 })
    app.use("/films", guard(issuer))
    app.get("/films/:id", end)
    expect(await (await open(app))("/films/7")).toBe(1)
    expect(warned).toContain("costs were not found at a route with a gate on it")
  })

  it("matches the route alone below a router without mount patterns", async () => {
    const app = express()
    const issuer = issuerWith({ "GET /films/{id}": 5 })
    const router = Router()
    router.get("/films/:id", guard(issuer), end)
    app.get("/films/:id", guard(issuer), end)
    app.use("/more", router)
    for (const layer of (app.router as unknown as { stack: { rawPath?: unknown }[] }).stack)
      delete layer.rawPath
    const ask = await open(app)
    expect([await ask("/FILMS/7"), await ask("/more/films/7")]).toEqual([5, 503])
  })

  it("refuses requests when the gate finds no route", async () => {
    const issuer = issuerWith({ "GET /films": 5 })
    const app = express()
    const inner = guard(issuer)
    app.get("/films", end)
    app.use((req, res, next) => inner(req, res, next), end)
    expect(await (await open(app))("/other")).toBe(503)
    expect(failed).toEqual(["gate(): found no route, wanted the gate on a route of express, or { units }"])
  })
})

describe("gate()", () => {
  const issuer = issuerWith()
  const call = gate as (...parameters: unknown[]) => unknown

  it.each<[string, unknown[], string]>([
    [
      "a promise",
      [Promise.resolve(issuer), "movies:read"],
      "gate(): found a promise, wanted the issuer: await",
    ],
    ["nothing", [undefined, "movies:read"], "gate(): found no issuer"],
    ["a request", [{ url: "/" }, {}, () => {}], "gate(): found no issuer"],
    ["no scope", [issuer], "found the scope undefined"],
    ["an empty scope", [issuer, ""], 'found the scope ""'],
    ["two scopes", [issuer, "movies:read movies:write"], 'found the scope "movies:read movies:write"'],
    ["an unknown scope", [issuer, "movies:raed"], 'did you mean "movies:read"?'],
    [
      "an unknown option",
      [issuer, "movies:read", { unit: 5 }],
      'unit: unknown option, did you mean "units"?',
    ],
    ["a number", [issuer, "movies:read", 5], "found the options 5"],
    ["null", [issuer, "movies:read", null], "found the options null"],
    ["no unit", [issuer, "movies:read", { units: 0 }], "found 0 units"],
    ["half a unit", [issuer, "movies:read", { units: 1.5 }], "found 1.5 units"],
    ["units in text", [issuer, "movies:read", { units: "5" }], 'found "5" units'],
    ["too many units", [issuer, "movies:read", { units: 1e13 }], "found 10000000000000 units"],
  ])("throws for %s and names the expected value", (_name, parameters, sentence) => {
    expect(() => call(...parameters)).toThrow(sentence)
  })

  it("throws a promise back at authorizationServer(), too", () => {
    const mount = authorizationServer as (issuer: unknown) => unknown
    expect(() => mount(Promise.resolve(issuer))).toThrow("authorizationServer(): found a promise")
  })

  it("warns once where no endpoint of the service is mounted", async () => {
    const app = express()
    films(app, issuerWith())
    const ask = await open(app)
    for (let call = 0; call < 3; call++) await ask("/films")
    expect(warned).toEqual([
      "a gate was reached, and this process serves no token endpoint: mount authorizationServer(issuer)",
    ])
    warned = []
    const served = issuerWith()
    const other = express()
    other.use(authorizationServer(served))
    films(other, served)
    await (await open(other))("/films")
    expect(warned).toEqual([])
  })
})
