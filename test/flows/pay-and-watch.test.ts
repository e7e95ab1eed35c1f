import { decodeJwt } from "jose"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { decodeHeader } from "../../shared/values/codec.ts"
import {
  paymentRequiredHeader,
  paymentRequiredSchema,
  paymentResponseHeader,
} from "../../shared/x402/messages.ts"
import {
  eventually,
  lifeOf,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

let service: TestService
beforeAll(async () => {
  service = await openService()
})
afterAll(() => service.close())

describe("buying and using a token", () => {
  it("a 402 names the offer, its price and the token endpoint", async () => {
    const refused = await watch(service.url)
    expect(refused.status).toBe(402)
    expect(refused.headers.get("cache-control")).toBe("no-store")
    expect(refused.headers.get("www-authenticate")).toBe(
      `Bearer realm="${service.url}", resource_metadata="${service.url}/.well-known/oauth-protected-resource", DPoP algs="ES256 EdDSA"`,
    )
    const quote = decodeHeader(refused.headers.get(paymentRequiredHeader)!)
    expect(quote).toEqual(refused.body)
    expect(refused.body.message).toContain(`POST ${service.url}/token`)
    expect(refused.body.error).toBe("token_missing")
    expect(refused.body.resource.url).toBe(`${service.url}/movies/{id}`)
    const { accepts, extensions } = paymentRequiredSchema.parse(quote)
    expect(accepts).toHaveLength(1)
    expect(extensions?.["access-token"]?.info.tokenEndpoint).toBe(`${service.url}/token`)
  })

  it("one payment opens a route at once for many calls and settles in the background", async () => {
    const customer = await service.customer(30_000n)
    const purchase = await preparePurchase(service, customer)
    const bought = await postToken(service.url, purchase.headers)
    expect(bought.status).toBe(200)
    expect(bought.headers.get("cache-control")).toBe("no-store")
    expect(bought.headers.get(paymentResponseHeader)).toBeNull()
    expect(bought.body).toMatchObject({
      token_type: "Bearer",
      scope: "movies:read",
      grant: { calls_remaining: null, settlement: { state: "pending", network: "eip155:11155111" } },
    })
    expect(lifeOf(bought.body)).toBe(60)
    for (let id = 1; id <= 10; id++) {
      const seen = await watch(service.url, bought.body.access_token, `/movies/${id}`)
      expect(seen).toMatchObject({ status: 200, body: { id: String(id) } })
      expect(seen.headers.get("cache-control")).toBe("private, no-store")
    }
    await eventually(
      () => service.balanceOf(service.payTo.address),
      (balance) => balance === 10_000n,
    )
    expect(await service.balanceOf(customer.address)).toBe(20_000n)

    await eventually(
      () => postToken(service.url, retryHeaders(purchase)),
      (answer) => answer.body.grant.settlement.state === "settled",
    )
    const full = await refresh(service.url, bought.body.refresh_token)
    expect(full.status).toBe(200)
    expect(lifeOf(full.body)).toBe(300)
    const settled = decodeHeader(full.headers.get(paymentResponseHeader)!)
    expect(settled).toEqual({
      success: true,
      transaction: full.body.grant.settlement.transaction,
      network: "eip155:11155111",
      payer: customer.address.toLowerCase(),
    })
    const claims = decodeJwt(full.body.access_token)
    expect(claims).toMatchObject({
      iss: service.url,
      aud: service.url,
      sub: `eip155:11155111:${customer.address.toLowerCase()}`,
      client_id: `eip155:11155111:${customer.address.toLowerCase()}`,
      grant: bought.body.grant.id,
      settled: true,
      paid: true,
    })
    expect((await watch(service.url, full.body.access_token)).status).toBe(200)
  })

  it("a token opens routes of its scope only", async () => {
    const bought = await postToken(
      service.url,
      (await preparePurchase(service, await service.customer())).headers,
    )
    const response = await fetch(`${service.url}/movies`, {
      method: "POST",
      headers: { authorization: `Bearer ${bought.body.access_token}` },
    })
    expect(response.status).toBe(402)
    expect(response.headers.get("www-authenticate")).toContain('error="insufficient_scope"')
    expect(response.headers.get("www-authenticate")).toContain('scope="movies:write"')
    const quote = paymentRequiredSchema.parse(await response.json())
    expect(
      Object.values(quote.extensions?.["access-token"]?.info.offers ?? {}).map((terms) => terms.scope),
    ).toEqual(["movies:write"])
  })

  it("POST /token without a payment lists all offers or the requested one", async () => {
    const all = await postToken(service.url, {})
    expect(all.status).toBe(402)
    expect(all.body.accepts).toHaveLength(2)
    expect(all.body.accepts[0].extra.paymentFlow).toBeUndefined()
    const one = await fetch(`${service.url}/token?offer=studio`, { method: "POST" })
    expect(((await one.json()) as { accepts: unknown[] }).accepts).toHaveLength(1)
    expect((await fetch(`${service.url}/token?offer=none`, { method: "POST" })).status).toBe(400)
  })

  it("N-6749-1: GET /token shows the offers, and takes no payment", async () => {
    const shown = await fetch(`${service.url}/token?offer=studio`)
    expect(shown.status).toBe(402)
    expect(Object.fromEntries(shown.headers)).toMatchObject({ allow: "POST", "cache-control": "no-store" })
    const body = await shown.json()
    expect(body).toMatchObject({
      accepts: [{}],
      message: expect.stringContaining(`POST ${service.url}/token`),
    })
    expect(paymentRequiredSchema.parse(decodeHeader(shown.headers.get("payment-required") ?? ""))).toEqual(
      paymentRequiredSchema.parse(body),
    )
    expect(await (await fetch(`${service.url}/token`, { method: "HEAD" })).text()).toBe("")
    for (const header of ["PAYMENT-SIGNATURE", "X-PAYMENT"]) {
      const paid = await fetch(`${service.url}/token`, { headers: { [header]: "e30=" } })
      expect([paid.status, paid.headers.get("allow")], header).toEqual([405, "POST"])
    }
  })

  it("N-6749-1: /token answers other methods with 405 and Allow: POST", async () => {
    for (const method of ["PUT", "DELETE", "PATCH"]) {
      const response = await fetch(`${service.url}/token`, { method })
      expect(response.status, method).toBe(405)
      expect(response.headers.get("allow"), method).toBe("POST")
    }
  })

  it("N-8414-1, N-9728-1: the metadata name exactly this service", async () => {
    const read = async (path: string) => (await fetch(`${service.url}/.well-known/${path}`)).json()
    expect(await read("oauth-authorization-server")).toMatchObject({
      issuer: service.url,
      token_endpoint: `${service.url}/token`,
      jwks_uri: `${service.url}/.well-known/jwks.json`,
      scopes_supported: ["movies:read", "movies:write"],
    })
    expect(await read("oauth-protected-resource")).toMatchObject({
      resource: service.url,
      authorization_servers: [service.url],
    })
    const keys = (await read("jwks.json")) as { keys: { d?: string; alg: string }[] }
    expect(keys.keys).toHaveLength(2)
    for (const key of keys.keys) {
      expect(key).toMatchObject({ alg: "ES256" })
      expect(key.d).toBeUndefined()
    }
  })
})
