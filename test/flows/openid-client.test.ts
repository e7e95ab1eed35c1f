import { createHash } from "node:crypto"
import * as client from "openid-client"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { paymentGrantType } from "../../shared/oauth/messages.ts"
import { eventually, openService, preparePurchase, type TestService } from "../support/service.ts"

const secret = "n0t-guessable-0123456789"
const secretSha256 = createHash("sha256").update(secret).digest("hex")
let service: TestService
let resource: URL
beforeAll(async () => {
  service = await openService({
    config: {
      whitelist: [{ clientId: "billing", secretSha256, scope: "movies:read movies:write" }],
      introspection: [{ clientId: "api", secretSha256 }],
    },
  })
  resource = new URL(`${service.url}/movies/7?page=2`)
})
afterAll(() => service.close())

/** The library discovers every endpoint itself (RFC 8414). */
const discover = (id: string, authentication: client.ClientAuth): Promise<client.Configuration> =>
  client.discovery(new URL(service.url), id, undefined, authentication, {
    algorithm: "oauth2",
    execute: [client.allowInsecureRequests],
  })

/** The library requests the token; the payment is added as a header. */
async function buy(config: client.Configuration, options: client.DPoPOptions = {}) {
  const { headers } = await preparePurchase(service, await service.customer())
  const sending = (more: Record<string, string>) => (url: string, init: client.CustomFetchOptions) =>
    fetch(url, { ...init, headers: { ...init.headers, ...more } } as RequestInit)
  config[client.customFetch] = sending(headers)
  const bought = await client.genericGrantRequest(config, paymentGrantType, {}, options)
  config[client.customFetch] = sending({})
  return bought
}

const isActive = async (token: string): Promise<boolean> =>
  (await client.tokenIntrospection(await discover("api", client.ClientSecretBasic(secret)), token)).active

describe("openid-client, without knowledge of ticket402", () => {
  it("discovers the service, buys, calls, refreshes and revokes", async () => {
    const config = await discover("agent", client.None())
    const metadata = config.serverMetadata()
    expect(metadata.issuer).toBe(service.url)
    expect(metadata.supportsPKCE()).toBe(false)
    const bought = await buy(config)
    expect(bought).toMatchObject({ token_type: "bearer", scope: "movies:read" })
    expect(bought.expiresIn()).toBeGreaterThan(0)
    const seen = await client.fetchProtectedResource(config, bought.access_token, resource, "GET")
    expect(await seen.json()).toEqual({ id: "7" })
    const next = await client.refreshTokenGrant(config, bought.refresh_token ?? "")
    expect(await isActive(next.access_token)).toBe(true)
    await client.tokenRevocation(config, next.refresh_token ?? "", { token_type_hint: "refresh_token" })
    for (const token of [bought.access_token, next.access_token]) {
      await eventually(
        () => isActive(token),
        (active) => !active,
      )
      const refused = client.fetchProtectedResource(config, token, resource, "GET")
      await expect(refused).rejects.toMatchObject({ status: 401 })
    }
    await expect(client.refreshTokenGrant(config, next.refresh_token ?? "")).rejects.toMatchObject({
      error: "invalid_grant",
      status: 400,
    })
  })

  it("reads the challenges of a refusal", async () => {
    const config = await discover("agent", client.None())
    const challenges = (token: string) =>
      client.fetchProtectedResource(config, token, resource, "GET").then(
        () => [],
        (error) => error.cause as readonly client.WWWAuthenticateChallenge[],
      )
    const [bearer] = await challenges("a.b.c")
    expect(bearer).toMatchObject({
      scheme: "bearer",
      parameters: {
        error: "invalid_token",
        resource_metadata: `${service.url}/.well-known/oauth-protected-resource`,
      },
    })
  })

  it("binds its purchase to a DPoP key and handles the nonces", async () => {
    const config = await discover("agent", client.None())
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"))
    const bought = await buy(config, { DPoP })
    expect(bought.token_type).toBe("dpop")
    const use = async (token: string) =>
      (await client.fetchProtectedResource(config, token, resource, "GET", null, undefined, { DPoP })).status
    expect(await use(bought.access_token)).toBe(200)
    const next = await client.refreshTokenGrant(config, bought.refresh_token ?? "", {}, { DPoP })
    expect(await use(next.access_token)).toBe(200)
    const stolen = client.fetchProtectedResource(config, next.access_token, resource, "GET")
    await expect(stolen).rejects.toMatchObject({ status: 401 })
  })

  it.each([
    ["client_secret_basic", client.ClientSecretBasic],
    ["client_secret_post", client.ClientSecretPost],
  ])("gets a service token by %s with the requested scope", async (method, authentication) => {
    const config = await discover("billing", authentication(secret))
    expect(config.serverMetadata().token_endpoint_auth_methods_supported).toContain(method)
    const { access_token, scope } = await client.clientCredentialsGrant(config, { scope: "movies:write" })
    expect(scope).toBe("movies:write")
    expect(await isActive(access_token)).toBe(true)
    const wrong = await discover("billing", authentication("another-secret"))
    await expect(client.clientCredentialsGrant(wrong)).rejects.toMatchObject({ status: 401 })
  })
})
