import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { createVerifier, Ticket402Error, type Verifier } from "../../../client/index.ts"
import { openKeys } from "../../../server/keys/index.ts"
import { concerns, createRevocationSet } from "../../../shared/oauth/revocation.ts"
import { revocationListSchema } from "../../../shared/oauth/revocation-list.ts"
import { decodeHeader } from "../../../shared/values/codec.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  type TestService,
  watch,
} from "../../support/service.ts"

let service: TestService
let token: string
let refreshToken: string
let api: Server
let url: string
let main: Verifier
const opened: Verifier[] = []

const buy = async () =>
  (await postToken(service.url, (await preparePurchase(service, await service.customer())).headers)).body
const verifierOf = (options: Partial<Parameters<typeof createVerifier>[0]> = {}) => {
  const verifier = createVerifier({ issuer: service.url, ...options })
  opened.push(verifier)
  return verifier
}
const reasonOf = async (verifier: Verifier, presented = token, scope = "movies:read") => {
  const verdict = await verifier.check(`Bearer ${presented}`, scope)
  return verdict.kind === "pass" ? "pass" : verdict.reason
}
const revoke = (presented: string) =>
  fetch(`${service.url}/revoke`, { method: "POST", body: new URLSearchParams({ token: presented }) })

beforeAll(async () => {
  service = await openService()
  const bought = await buy()
  await eventually(
    () =>
      fetch(`${service.url}/token/status`, {
        headers: { authorization: `Bearer ${bought.access_token}` },
      }).then((answer) => answer.json()),
    ({ grant }) => grant.settlement.state === "settled",
  )
  const full = (await refresh(service.url, bought.refresh_token)).body
  token = full.access_token
  refreshToken = full.refresh_token
  main = createVerifier({ issuer: service.url })
  api = createServer(async (request, response) => {
    const verdict = await main.check(request.headersDistinct.authorization, "movies:read")
    if (verdict.kind === "refuse") response.writeHead(verdict.status, verdict.headers).end(verdict.body)
    else response.end(JSON.stringify({ sub: verdict.claims.sub }))
  }).listen(0, "127.0.0.1")
  await once(api, "listening")
  url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`
})
afterEach(() => {
  for (const verifier of opened.splice(0)) verifier.close()
})
afterAll(async () => {
  main.close()
  api.close()
  api.closeAllConnections()
  await service.close()
})

describe("the verifier of another resource server", () => {
  it("answers as the issuer's own gate, including the price", async () => {
    expect(await watch(url, token, "/")).toMatchObject({
      status: 200,
      body: { sub: expect.stringMatching(/^eip155:11155111:0x/) },
    })
    for (const presented of [undefined, "a.b.c", `${token}A`]) {
      const [here, there] = [await watch(url, presented, "/"), await watch(service.url, presented)]
      expect({ status: here.status, challenge: here.headers.get("www-authenticate") }).toEqual({
        status: there.status,
        // Only the issuer's own gate checks DPoP proofs.
        challenge: there.headers.get("www-authenticate")?.replace(/, DPoP .*/, ""),
      })
      expect(here.body).toEqual(
        there.status === 402
          ? { ...there.body, resource: { ...there.body.resource, url: service.url } }
          : there.body,
      )
    }
    const priced = await watch(url, undefined, "/")
    expect(decodeHeader(priced.headers.get("payment-required") ?? "")).toEqual(priced.body)
    expect(priced.body.accepts[0].extra.paymentFlow).toBe("access-token")
  })

  it("answers an unbound token that is shown as DPoP like the issuer's own gate", async () => {
    const authorization = `DPoP ${token}`
    const there = await fetch(`${service.url}/movies/1`, { headers: { authorization } })
    const here = await main.check(authorization, "movies:read")
    expect(here).toMatchObject({ kind: "refuse", reason: "dpop_unbound", status: there.status })
  })

  it("TOK-20, N-6750-1: requires its resource, its scope and one token in one header", async () => {
    expect(await reasonOf(main, token, "movies:write")).toBe("insufficient_scope")
    expect(await reasonOf(verifierOf({ resource: `${service.url}/other` }))).toBe("token_invalid")
    const two = await main.check([`Bearer ${token}`, `Bearer ${token}`], "movies:read")
    expect(two).toMatchObject({ kind: "refuse", reason: "token_ambiguous", status: 400 })
    expect(await main.check("Basic YTpi", "movies:read")).toMatchObject({ status: 401 })
    // A scope that no offer covers has no price.
    expect(await main.check(null, "nobody:sells")).toMatchObject({ status: 503 })
  })

  it("TOK-09: refuses an expired token after 5 s of leeway with a hint to refresh", async () => {
    let offset = 0
    const verifier = verifierOf({ now: () => Math.floor(Date.now() / 1000) + offset })
    expect(await reasonOf(verifier)).toBe("pass")
    offset = 400
    expect(await verifier.check(`Bearer ${token}`, "movies:read")).toMatchObject({
      status: 402,
      reason: "token_expired",
    })
  })

  it("TOK-10: accepts a token within 30 s of clock lag, then answers 503 and names it", async () => {
    const fresh = (await buy()).access_token
    let behind = 25
    const verifier = verifierOf({ now: () => Math.floor(Date.now() / 1000) - behind })
    expect(await reasonOf(verifier, fresh)).toBe("pass")
    behind = 45
    const verdict = await verifier.check(`Bearer ${fresh}`, "movies:read")
    expect(verdict).toMatchObject({ reason: "token_not_yet_valid", status: 503 })
    if (verdict.kind !== "refuse") throw new Error("passed")
    expect(verdict.headers).toMatchObject({ "retry-after": "5" })
    expect(verdict.headers["payment-required"]).toBeUndefined()
    expect(JSON.parse(verdict.body)).toMatchObject({
      error_description: expect.stringContaining("clock"),
      next: { action: "retry" },
    })
  })

  it("TOK-21, N-7009-1: refuses revoked tokens and grants within 5 s", async () => {
    const [one, other] = [await buy(), await buy()]
    for (const { access_token } of [one, other]) expect(await reasonOf(main, access_token)).toBe("pass")
    await revoke(one.access_token)
    await revoke(other.refresh_token)
    const from = performance.now()
    const ask = () => Promise.all([reasonOf(main, one.access_token), reasonOf(main, other.access_token)])
    const seen = await eventually(ask, (reasons) => !reasons.includes("pass"))
    expect((performance.now() - from) / 1000).toBeLessThan(5)
    expect(seen).toEqual(["token_revoked", "token_revoked"])
    expect(await reasonOf(main)).toBe("pass")
  })

  it("TOK-22: passes only settled tokens after 15 s without the revocation list", async () => {
    const pending = (await buy()).access_token
    let [offset, away] = [0, false]
    const verifier = verifierOf({
      now: () => Math.floor(Date.now() / 1000) + offset,
      fetch: (...call) => (away ? Promise.reject(new Error("away")) : fetch(...call)),
    })
    expect(await reasonOf(verifier, pending)).toBe("pass")
    away = true
    offset = 14
    expect(await reasonOf(verifier, pending)).toBe("pass")
    offset = 17
    expect(await reasonOf(verifier, pending)).toBe("gate_unavailable")
    expect(await reasonOf(verifier)).toBe("pass")
    expect(await verifier.check(undefined, "movies:read")).toMatchObject({
      status: 503,
      reason: "gate_unavailable",
    })
    away = false
    offset = 0
    await eventually(
      () => reasonOf(verifier, pending),
      (reason) => reason === "pass",
    )
  })

  it("TOK-25: fetches keys once in 30 s for any number of unknown key ids", async () => {
    let asked = 0
    const verifier = verifierOf({
      fetch: (input, init) => {
        if (String(input).endsWith("jwks.json")) asked += 1
        return fetch(input, init)
      },
    })
    expect(await reasonOf(verifier)).toBe("pass")
    const [, payload, signature] = token.split(".")
    for (let at = 0; at < 200; at++) {
      const header = Buffer.from(JSON.stringify({ alg: "ES256", typ: "at+jwt", kid: `k${at}` })).toString(
        "base64url",
      )
      expect(await reasonOf(verifier, `${header}.${payload}.${signature}`)).toBe("token_invalid")
    }
    expect(asked).toBe(1)
  })

  it("N-8725-6: accepts only the issuer's list, and no list as a token", async () => {
    const list = await (await fetch(`${service.url}/revocations`)).text()
    expect(await reasonOf(main, list)).toBe("token_invalid")
    const foreign = await openKeys(join(service.folder, "foreign"))
    const bodies = [
      token,
      list.replace(/\.[^.]*$/, ".AAAA"),
      await foreign.signRevocations({
        iss: service.url,
        iat: Math.floor(Date.now() / 1000),
        generation: "g",
        since: 0,
        next: 10_000,
        more: false,
        revocations: [],
        removedKeys: [],
      }),
      "",
    ]
    for (const body of bodies) {
      const verifier = verifierOf({
        fetch: async (input, init) =>
          String(input).includes("/revocations") ? new Response(body) : fetch(input, init),
      })
      // Without a valid list only settled tokens pass.
      const pending = (await verifier.check(`Bearer ${token}`, "movies:read")).kind
      expect(pending, body.slice(0, 20)).toBe("pass")
      expect(await reasonOf(verifier, (await buy()).access_token)).toBe("gate_unavailable")
    }
  })

  it("MI-06: starts the revocation list anew when the books have another generation", async () => {
    const ours = await openKeys(join(service.folder, "keys"))
    const { grant } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
    const time = Math.floor(Date.now() / 1000)
    const listOf = (generation: string, since: number, next: number, grants: readonly string[]) =>
      ours.signRevocations({
        iss: service.url,
        iat: time,
        generation,
        since,
        next,
        more: false,
        revocations: grants.map((grantId) => ({
          kind: "grant",
          grantId,
          reason: "revoked",
          expiresAt: time + 3600,
        })),
        removedKeys: [],
      })
    const asked: string[] = []
    let list = await listOf("old", 0, 90, [])
    const verifier = verifierOf({
      fetch: async (input, init) => {
        if (!String(input).includes("/revocations")) return fetch(input, init)
        asked.push(new URL(String(input)).search)
        return new Response(list)
      },
    })
    expect(await reasonOf(verifier)).toBe("pass")
    // Restored from a backup: what ended there has a lower number than the cursor.
    list = await listOf("new", 0, 7, [grant])
    await eventually(
      () => reasonOf(verifier),
      (reason) => reason !== "pass",
    )
    expect(await reasonOf(verifier)).toBe("token_revoked")
    expect(asked.slice(0, 2)).toEqual(["?since=0", "?since=90&generation=old"])
  })

  it("TOK-26: trusts no key that the revocation list names as removed", async () => {
    const ours = await openKeys(join(service.folder, "keys"))
    const kid = JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid
    const removal = await ours.signRevocations({
      iss: service.url,
      iat: Math.floor(Date.now() / 1000),
      generation: "g",
      since: 0,
      next: 0,
      more: false,
      revocations: [],
      removedKeys: [kid],
    })
    const verifier = verifierOf({
      fetch: async (input, init) =>
        String(input).includes("/revocations") ? new Response(removal) : fetch(input, init),
    })
    expect(await reasonOf(verifier)).toBe("token_invalid")
  })

  it("calls only the issuer's origin and refuses an invalid issuer", async () => {
    const asked: string[] = []
    const verifier = verifierOf({
      fetch: async (input, init) => {
        asked.push(String(input))
        const answer = await fetch(input, init)
        if (!String(input).includes("oauth-authorization-server")) return answer
        return Response.json({ ...(await answer.json()), jwks_uri: "http://127.0.0.1:9/keys" })
      },
    })
    expect(await reasonOf(verifier)).toBe("gate_unavailable")
    expect(asked.every((each) => each.startsWith(service.url))).toBe(true)
    for (const issuer of ["http://cinema.example", "https://cinema.example/", "cinema", "ftp://a.example"])
      expect(() => createVerifier({ issuer })).toThrow(Ticket402Error)
  })
})

describe("GET /revocations", () => {
  const ask = (query = "", headers: Record<string, string> = {}) =>
    fetch(`${service.url}/revocations${query}`, { headers })
  const payloadOf = (text: string) =>
    revocationListSchema.parse(JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString()))

  it("MI-06: returns each revocation once to a follower and 304 without news", async () => {
    const before = await ask()
    expect(before.headers.get("content-type")).toBe("application/ticket402-revocations+jwt")
    expect(before.headers.get("cache-control")).toBe("public, max-age=1")
    const { next } = payloadOf(await before.text())
    const quiet = await ask(`?since=${next}`)
    const list = payloadOf(await quiet.text())
    expect(list).toMatchObject({
      iss: service.url,
      since: next,
      next,
      more: false,
      revocations: [],
      removedKeys: [],
    })
    const etag = quiet.headers.get("etag") ?? ""
    expect((await ask(`?since=${next}`, { "if-none-match": etag })).status).toBe(304)
    await revoke(refreshToken)
    const news = await eventually(
      async () => payloadOf(await (await ask(`?since=${next}`)).text()),
      ({ revocations }) => revocations.length > 0,
    )
    expect(news.revocations).toMatchObject([{ kind: "grant", reason: "revoked" }])
    expect((await ask(`?since=${next}`, { "if-none-match": etag })).status).toBe(200)
    expect(payloadOf(await (await ask(`?since=${news.next}`)).text()).revocations).toEqual([])
    const { generation } = news
    const restored = await ask(`?since=${news.next + 1000}&generation=other`)
    expect(payloadOf(await restored.text())).toMatchObject({ generation, since: 0, next: news.next })
    for (const since of ["-1", "1e3", "", "0x1", "9".repeat(16)])
      expect((await ask(`?since=${since}`)).status).toBe(400)
  })
})

it("a revocation rule refuses exactly the tokens it concerns", () => {
  const offer = fc.constantFrom("hour@00000000", "hour@11111111", "hours@00000000", null)
  const rules = fc.array(
    fc.record({
      kind: fc.constant("rule" as const),
      offer: fc.constantFrom("hour", "hours", "hour@11111111", null),
      before: fc.nat(100),
      expiresAt: fc.integer({ min: 200, max: 300 }),
    }),
  )
  fc.assert(
    fc.property(rules, offer, fc.nat(100), fc.nat(400), (all, bought, granted_at, at) => {
      const set = createRevocationSet()
      set.add(all)
      set.forget(at)
      const living = all.filter(({ expiresAt }) => expiresAt >= at)
      const claims = { grant: "g", jti: "j", iat: granted_at, offer: bought, granted_at }
      const concerned = (some: typeof all) =>
        some.some((rule) => concerns(rule, { offer: bought, grantedAt: granted_at }))
      if (concerned(living)) expect(set.reasonFor(claims)).toBe("revoked")
      if (!concerned(all)) expect(set.reasonFor(claims)).toBeUndefined()
    }),
    { numRuns: 100 },
  )
})
