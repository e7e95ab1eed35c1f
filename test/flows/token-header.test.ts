/** An API whose own login needs `Authorization`: the token is shown in `Ticket402-Token`. */
import type { RequestHandler } from "express"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { tokenHook } from "../../client/adapters/x402.ts"
import { type ClientEvent, createClient, createVerifier } from "../../client/index.ts"
import { type GateOptions, gate } from "../../server/adapters/express.ts"
import { listen } from "../support/listen.ts"
import { sepoliaId } from "../support/offers.ts"
import { createProofKey, proofOf, withProof } from "../support/proofs.ts"
import {
  type Answer,
  openService,
  postToken,
  preparePurchase,
  type TestService,
  watch,
} from "../support/service.ts"

const tokenHeader = "Ticket402-Token"
const login = "Bearer login-of-the-user"

let service: TestService
let token: string
/** Requests that reached the handlers, and the number of payments. */
let seen: { path: string; login: string | undefined; token: string | undefined }[] = []
let sold = 0

/** The login of the API, behind the gate. */
const requireLogin: RequestHandler = (req, res, next) => {
  if (req.headers.authorization === login) next()
  else res.status(401).set("WWW-Authenticate", 'Bearer error="invalid_token"').json({ login: "refused" })
}
const film: RequestHandler = (req, res) => {
  const { authorization, "ticket402-token": shown } = req.headers
  seen.push({ path: req.path, login: authorization, token: shown as string | undefined })
  res.json({ id: req.params.id })
}

beforeAll(async () => {
  service = await openService()
  const { app, issuer } = service
  app.all("/films/:id", gate(issuer, "movies:read", { tokenHeader }), requireLogin, film)
  const { headers } = await preparePurchase(service, await service.customer())
  token = (await postToken(service.url, headers)).body.access_token
})
beforeEach(() => {
  seen = []
  sold = 0
})
afterAll(() => service.close())

const ask = async (headers: [string, string][], path = "/films/7"): Promise<Answer> => {
  const answer = await fetch(`${service.url}${path}`, { headers })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) }
}

describe("a gate with tokenHeader", () => {
  it("TOK-20: reads that header once, and never Authorization", async () => {
    const own: [string, string] = ["authorization", login]
    const shown: [string, string] = [tokenHeader, `Bearer ${token}`]
    expect((await ask([own, shown])).status).toBe(200)
    expect(seen).toEqual([{ path: "/films/7", login, token: `Bearer ${token}` }])
    const answers = [
      await ask([["authorization", `Bearer ${token}`]]),
      await ask([own, shown, shown]),
      await ask([own, [tokenHeader, `Bearer ${token}, Bearer ${token}`]]),
      await ask([own, [tokenHeader, token]]),
      await ask([own, shown], "/films/7?access_token=x"),
    ]
    expect(answers.map(({ status, body }) => `${status} ${body.reason ?? body.error}`)).toEqual([
      "402 token_missing",
      "400 token_ambiguous",
      "400 token_ambiguous",
      "401 token_invalid",
      "400 token_ambiguous",
    ])
    expect(seen).toHaveLength(1)
  })

  it("names the header in the 402 and in every challenge", async () => {
    for (const [answer, status] of [
      [await ask([]), 402],
      [await ask([[tokenHeader, "Bearer a.b.c"]]), 401],
    ] as const) {
      expect(answer.status).toBe(status)
      expect(answer.headers.get("www-authenticate")).toContain(`token_header="${tokenHeader}"`)
    }
    expect((await ask([])).body.extensions["access-token"].info.tokenHeader).toBe(tokenHeader)
    const plain = await watch(service.url)
    expect(plain.headers.get("www-authenticate")).not.toContain("token_header")
    expect(plain.body.extensions["access-token"].info).not.toHaveProperty("tokenHeader")
  })

  it("leaves other gates with Authorization", async () => {
    expect((await ask([[tokenHeader, `Bearer ${token}`]], "/movies/1")).status).toBe(402)
    expect((await watch(service.url, token)).status).toBe(200)
  })

  it("TOK-16: takes a bound token as DPoP with its proof", async () => {
    const key = await createProofKey()
    const { headers } = await preparePurchase(service, await service.customer())
    const at = () => Math.floor(Date.now() / 1000)
    const bound = await withProof(
      (dpop) => postToken(service.url, { ...headers, dpop }),
      (nonce) => proofOf(key, { method: "POST", url: `${service.url}/token`, at: at(), nonce }),
    )
    const { access_token } = bound.body
    const answer = await withProof(
      (dpop) =>
        ask([
          ["authorization", login],
          [tokenHeader, `DPoP ${access_token}`],
          ["dpop", dpop],
        ]),
      (nonce) =>
        proofOf(key, { method: "GET", url: `${service.url}/films/7`, token: access_token, at: at(), nonce }),
    )
    expect(answer.status).toBe(200)
    expect((await ask([[tokenHeader, `Bearer ${access_token}`]])).body.reason).toBe("dpop_missing")
  })

  it("refuses every other name", () => {
    for (const name of ["X-Token", "ticket402-token", "Authorization", 5])
      expect(() =>
        gate(service.issuer, "movies:read", { tokenHeader: name } as unknown as GateOptions),
      ).toThrow(/tokenHeader .*, wanted "Ticket402-Token"/)
  })
})

describe("gates elsewhere with the header", () => {
  it("are asked for below /gate/token-header", async () => {
    const own: [string, string] = ["authorization", login]
    const at = (form: string, ...shown: [string, string][]) =>
      ask([own, ...shown], `/gate/token-header/${form}/movies:read/films/7`)
    const good: [string, string] = [tokenHeader, `Bearer ${token}`]
    expect((await at("envoy", good)).headers.get("ticket402-grant")).not.toBeNull()
    expect([(await at("nginx", good)).status, (await at("nginx")).status]).toEqual([200, 401])
    const price = () => ask([], "/gate/token-header/price/movies:read")
    for (const refused of [await at("envoy"), await at("refusal"), await price()])
      expect([refused.status, refused.body.extensions["access-token"].info.tokenHeader]).toEqual([
        402,
        tokenHeader,
      ])
    expect((await ask([good], "/gate/envoy/movies:read/films/7")).status).toBe(402)
  })

  it("are verifiers that name it", async () => {
    const verifier = createVerifier({ issuer: service.url, tokenHeader })
    try {
      expect((await verifier.check(`Bearer ${token}`, "movies:read")).kind).toBe("pass")
      const refused = await verifier.check(undefined, "movies:read")
      if (refused.kind !== "refuse") throw new Error("passed")
      expect(JSON.parse(refused.body).extensions["access-token"].info.tokenHeader).toBe(tokenHeader)
      expect(refused.headers["www-authenticate"]).toContain(`token_header="${tokenHeader}"`)
    } finally {
      verifier.close()
    }
    expect(() => createVerifier({ issuer: service.url, tokenHeader: "X" as never })).toThrow(
      expect.objectContaining({ code: "option_invalid", found: "X" }),
    )
  })
})

describe("the client at an API with a login", () => {
  const events: ClientEvent[] = []
  async function buyer() {
    events.length = 0
    const requests: { url: string; headers: Headers }[] = []
    const client = createClient({
      account: await service.customer(),
      budget: { perPurchase: "0.05", perDay: "1" },
      networks: [sepoliaId],
      onEvent: (event) => events.push(event),
      fetch: (input, init) => {
        requests.push({ url: String(input), headers: new Headers(init?.headers) })
        if (new Headers(init?.headers).has("payment-signature")) sold += 1
        return fetch(input, init)
      },
    })
    return { client, requests }
  }
  const url = () => `${service.url}/films/7`
  const withLogin = { headers: { authorization: login } }

  it("buys once, and shows the token beside the login of its caller", async () => {
    const { client } = await buyer()
    for (let call = 0; call < 3; call++) {
      const answer = await client.fetch(url(), { ...withLogin, method: "POST", body: "x" })
      expect(answer.status).toBe(200)
    }
    expect(sold).toBe(1)
    expect(seen.map(({ login, token }) => [login, token?.startsWith("Bearer ey")])).toEqual(
      Array.from({ length: 3 }, () => [login, true]),
    )
  })

  it("moves the token of a grant to the header that a 402 names, and back, and buys no other", async () => {
    const { client, requests } = await buyer()
    expect((await client.fetch(`${service.url}/movies/1`)).status).toBe(200)
    expect((await client.fetch(url(), withLogin)).status).toBe(200)
    expect((await client.fetch(`${service.url}/movies/1`)).status).toBe(200)
    expect(requests.filter(({ url }) => url.endsWith("/token"))).toHaveLength(1)
    // Without a login, the answer is the API's own.
    expect(await (await client.fetch(url())).json()).toEqual({ login: "refused" })
    expect(sold).toBe(1)
  })

  it("CLI-16: takes a refused login for no refusal of the token", async () => {
    const { client } = await buyer()
    for (let call = 0; call < 3; call++) {
      const answer = await client.fetch(url(), { headers: { authorization: "Bearer wrong" } })
      expect([answer.status, await answer.json()]).toEqual([401, { login: "refused" }])
    }
    expect(sold).toBe(1)
    expect(events.filter(({ type }) => type === "not_accepted")).toEqual([])
    expect((await client.fetch(url(), withLogin)).status).toBe(200)
  })

  it("CLI-04, CLI-12: shows the token to no other origin", async () => {
    const other: Headers[] = []
    const { url: elsewhere } = await listen((req, res) => {
      other.push(new Headers(req.headers as Record<string, string>))
      res.writeHead(200).end("{}")
    })
    service.app.get("/away", gate(service.issuer, "movies:read", { tokenHeader }), (_req, res) =>
      res.redirect(`${elsewhere}/films/7`),
    )
    const { client } = await buyer()
    expect((await client.fetch(url(), withLogin)).status).toBe(200)
    await expect(client.fetch(`${service.url}/away`, withLogin)).rejects.toMatchObject({
      code: "redirect_origin",
    })
    await client.fetch(`${elsewhere}/films/7`, withLogin)
    expect(other.map((headers) => headers.get(tokenHeader))).toEqual([null])
  })

  it("passes calls with a login on untouched where the gate reads Authorization", async () => {
    const { client, requests } = await buyer()
    const authorization = `Bearer ${token}`
    const answer = await client.fetch(`${service.url}/movies`, { method: "POST", headers: { authorization } })
    expect([answer.status, sold]).toEqual([402, 0])
    expect(requests.map(({ headers }) => headers.get("authorization"))).toEqual([authorization])
  })

  it("is not alone: the hook of x402 clients names the header too", async () => {
    const { headers } = await preparePurchase(service, await service.customer())
    const hook = tokenHook((input, init) => fetch(input, { ...init, headers }))
    const shown = await hook({ paymentRequired: (await ask([])).body, requestUrl: url() })
    expect(Object.keys(shown?.headers ?? {})).toEqual([tokenHeader])
  })
})
