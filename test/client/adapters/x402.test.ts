import { describe, expect, it } from "vitest"
import { tokenHook } from "../../../client/adapters/x402.ts"
import { Ticket402Error } from "../../../client/index.ts"

const origin = "https://api.example.com"
const film = `${origin}/movies/1`
const terms = { scope: "movies:read", durationSeconds: 3600, settle: "background" as const }

const paymentRequired = (changes: object = {}) => ({
  x402Version: 2,
  resource: { url: film },
  accepts: [],
  extensions: {
    "access-token": {
      info: { tokenEndpoint: `${origin}/token`, resource: origin, offers: { "hour@1": terms }, ...changes },
    },
  },
})

/** A token endpoint that sells numbered tokens and records its requests. */
function openTokenEndpoint(answer: object = {}, status = 200) {
  const asked: { url: string; redirect: RequestRedirect | undefined }[] = []
  const pay = async (url: URL, init: RequestInit): Promise<Response> => {
    asked.push({ url: url.href, redirect: init.redirect })
    return Response.json(
      {
        access_token: `t${asked.length}`,
        token_type: "Bearer",
        expires_in: 600,
        scope: "movies:read",
        grant: { id: "g", expires_at: 0, calls_remaining: null, settlement: { state: "pending" } },
        ...answer,
      },
      { status },
    )
  }
  return { asked, pay }
}

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })

describe("the hook for stock x402 clients", () => {
  it("CLI-13: buys once for many calls, twenty of them concurrent", async () => {
    const { asked, pay } = openTokenEndpoint()
    const hook = tokenHook(pay)
    const context = { paymentRequired: paymentRequired(), requestUrl: film }
    const answers = await Promise.all(Array.from({ length: 20 }, () => hook(context)))
    expect(answers).toEqual(answers.map(() => bearer("t1")))
    expect(await hook({ ...context, requestUrl: `${origin}/movies/2` })).toEqual(bearer("t1"))
    const resource = encodeURIComponent(origin)
    expect(asked).toEqual([
      { url: `${origin}/token?offer=hour%401&resource=${resource}`, redirect: "manual" },
    ])
  })

  it("buys again when the token is about to expire or its calls are used up", async () => {
    let now = 1000
    const { asked, pay } = openTokenEndpoint({
      grant: { id: "g", expires_at: 0, calls_remaining: 3, settlement: { state: "pending" } },
    })
    const hook = tokenHook(pay, { now: () => now })
    const call = (cost: number) => hook({ paymentRequired: paymentRequired({ cost }), requestUrl: film })
    expect([await call(2), await call(1), await call(1)]).toEqual([bearer("t1"), bearer("t1"), bearer("t2")])
    now += 595
    expect(await call(1)).toEqual(bearer("t3"))
    expect(asked.length).toBe(3)
  })

  it("prefers background settlement and buys nothing that cannot open the call", async () => {
    const { asked, pay } = openTokenEndpoint()
    const offers = {
      "bound@1": { ...terms, dpop: "required" as const },
      "few@1": { ...terms, calls: 1 },
      "late@1": { ...terms, settle: "first" as const },
      "soon@1": terms,
    }
    const context = { paymentRequired: paymentRequired({ cost: 2, offers }), requestUrl: film }
    expect(await tokenHook(pay)(context)).toEqual(bearer("t1"))
    expect(asked[0]?.url).toContain("soon")
    const { "bound@1": bound, "few@1": few } = offers
    const none = paymentRequired({ cost: 2, offers: { "bound@1": bound, "few@1": few } })
    expect(await tokenHook(pay)({ paymentRequired: none, requestUrl: film })).toBeUndefined()
  })

  it.each([
    ["that expire at once", { expires_in: 1 }],
    [
      "without calls",
      { grant: { id: "g", expires_at: 0, calls_remaining: 0, settlement: { state: "pending" } } },
    ],
  ])("CLI-02: buys once from an endpoint that sells tokens %s", async (_name, answer) => {
    const { asked, pay } = openTokenEndpoint(answer)
    const bounded = (url: URL, init: RequestInit) => {
      if (asked.length > 3) throw new Error("bought repeatedly")
      return pay(url, init)
    }
    const call = tokenHook(bounded)({ paymentRequired: paymentRequired(), requestUrl: film })
    await expect(call).rejects.toMatchObject({ code: "answer_malformed" })
    expect(asked).toHaveLength(1)
  })

  it("CLI-05: sends no payment to another origin, in any spelling, or over http", async () => {
    const { asked, pay } = openTokenEndpoint()
    for (const tokenEndpoint of [
      "https://evil.example/token",
      "//evil.example/token",
      "/\\evil.example/token",
      "http://api.example.com/token",
      "",
    ])
      await expect(
        tokenHook(pay)({ paymentRequired: paymentRequired({ tokenEndpoint }), requestUrl: film }),
        tokenEndpoint,
      ).rejects.toThrow(Ticket402Error)
    const evil = paymentRequired({ resource: "https://evil.example" })
    await expect(tokenHook(pay)({ paymentRequired: evil, requestUrl: film })).rejects.toThrow(Ticket402Error)
    expect(asked).toEqual([])
  })

  it("CLI-12: shows a token only to the origin that sold it", async () => {
    const { pay } = openTokenEndpoint()
    const hook = tokenHook(pay)
    expect(await hook({ paymentRequired: paymentRequired(), requestUrl: film })).toEqual(bearer("t1"))
    await expect(
      hook({ paymentRequired: paymentRequired(), requestUrl: "https://evil.example/movies/1" }),
    ).rejects.toThrow(Ticket402Error)
    const [router, elsewhere] = ["https://other.example/token", "https://other.example"]
    const other = paymentRequired({ tokenEndpoint: router, resource: elsewhere })
    expect(await hook({ paymentRequired: other, requestUrl: `${elsewhere}/movies/1` })).toEqual(bearer("t2"))
    expect(await hook({ paymentRequired: paymentRequired() })).toBeUndefined()
    const pinned = tokenHook(pay, { origin })
    expect(await pinned({ paymentRequired: paymentRequired() })).toEqual(bearer("t3"))
    const foreign = paymentRequired({ tokenEndpoint: "https://evil.example/token" })
    await expect(pinned({ paymentRequired: foreign })).rejects.toThrow(Ticket402Error)
  })

  it("ignores other servers, other versions and the token endpoint itself", async () => {
    const { asked, pay } = openTokenEndpoint()
    const hook = tokenHook(pay)
    const others = [
      { x402Version: 2, resource: { url: film }, accepts: [] },
      { x402Version: 1, error: "", accepts: [] },
      undefined,
    ]
    for (const other of others)
      expect(await hook({ paymentRequired: other, requestUrl: film })).toBeUndefined()
    const router = { paymentRequired: paymentRequired(), requestUrl: `${origin}/token?offer=hour` }
    expect(await hook(router)).toBeUndefined()
    expect(asked).toEqual([])
  })

  it("CLI-18: throws a typed error when the endpoint sells nothing, and retries later", async () => {
    const context = { paymentRequired: paymentRequired(), requestUrl: film }
    for (const router of [
      openTokenEndpoint({}, 400),
      openTokenEndpoint({}, 202),
      openTokenEndpoint({ token_type: "DPoP" }),
      openTokenEndpoint({ access_token: "x".repeat(70_000) }),
    ]) {
      const hook = tokenHook(router.pay)
      await expect(hook(context)).rejects.toThrow(Ticket402Error)
      await expect(hook(context)).rejects.toThrow(Ticket402Error)
      expect(router.asked.length).toBe(2)
    }
  })
})
