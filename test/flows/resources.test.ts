import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { decodeJwt } from "jose"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClient, createVerifier, Ticket402Error, type Verifier } from "../../client/index.ts"
import { sha256Hex } from "../../server/access/credentials.ts"
import { openService, postToken, preparePurchase, type TestService, watch } from "../support/service.ts"

/** A service in another process of another framework: it knows the issuer by its URL only. */
type Elsewhere = { readonly url: string; readonly server: Server; readonly verifier: Verifier }

const secret = "s".repeat(43)
const opened: Elsewhere[] = []
let service: TestService
let sold: Elsewhere

async function listen(): Promise<Server> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  return server
}
const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

function protect(server: Server): Elsewhere {
  const url = urlOf(server)
  const verifier = createVerifier({ issuer: service.url, resource: url })
  server.on("request", async (request, response) => {
    const verdict = await verifier.check(request.headersDistinct.authorization, "movies:read")
    if (verdict.kind === "refuse") response.writeHead(verdict.status, verdict.headers).end(verdict.body)
    else response.end(JSON.stringify({ for: verdict.claims.sub, aud: verdict.claims.aud }))
  })
  const elsewhere = { url, server, verifier }
  opened.push(elsewhere)
  return elsewhere
}

const post = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${service.url}/token`, { method: "POST", headers, body: new URLSearchParams(fields) }).then(
    async (answer) => ({ status: answer.status, body: (await answer.json()) as Record<string, string> }),
  )
const audienceOf = ({ access_token = "" }: Record<string, string>) => decodeJwt(access_token).aud
const resourceOfOffers = (body: unknown) =>
  (body as { extensions: { "access-token": { info: { resource: string } } } }).extensions["access-token"].info
    .resource

async function buy(resource: string) {
  const purchase = await preparePurchase(service, await service.customer(), { resource })
  return { purchase, bought: await post({ resource }, purchase.headers) }
}

beforeAll(async () => {
  const server = await listen()
  const whitelist = [{ clientId: "billing", secretSha256: sha256Hex(secret), scope: "movies:read" }]
  service = await openService({ config: { resources: [urlOf(server)], whitelist } })
  sold = protect(server)
})
afterAll(async () => {
  for (const { server, verifier } of opened) {
    verifier.close()
    server.closeAllConnections()
    server.close()
  }
  await service.close()
})

describe("a service elsewhere whose resource the issuer sells", () => {
  it("is bought by the client, refreshed, topped up and derived from, for its own audience", async () => {
    const client = createClient({
      account: await service.customer(),
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: ["eip155:11155111"],
      tokenEndpoints: [`${service.url}/token`],
    })
    const first = await client.fetch(`${sold.url}/any`)
    expect([first.status, await first.json()]).toMatchObject([200, { aud: sold.url }])
    expect((await client.topUp(`${sold.url}/any`, { offer: "hour" })).scope).toBe("movies:read")
    const { accessToken } = await client.derive(`${sold.url}/any`, { scope: "movies:read", seconds: 60 })
    expect(decodeJwt(accessToken).aud).toBe(sold.url)
    expect((await watch(sold.url, accessToken, "/any")).status).toBe(200)
    expect((await client.spent()).total).toBe("0.02")
  })

  it("TOK-20, TOK-34: its tokens and those of the issuer's own gate open nothing at each other", async () => {
    const { bought } = await buy(sold.url)
    expect(audienceOf(bought.body)).toBe(sold.url)
    expect((await watch(sold.url, bought.body.access_token, "/any")).status).toBe(200)
    expect((await watch(service.url, bought.body.access_token)).status).toBe(401)
    const own = await postToken(
      service.url,
      (await preparePurchase(service, await service.customer())).headers,
    )
    expect(audienceOf(own.body)).toBe(service.url)
    expect((await watch(sold.url, own.body.access_token, "/any")).status).toBe(401)
  })

  it("TOK-34: a refresh token stays with the resource of its grant", async () => {
    const { refresh_token = "" } = (await buy(sold.url)).bought.body
    const refresh = { grant_type: "refresh_token", refresh_token }
    expect((await post({ ...refresh, resource: service.url })).body.reason).toBe("refresh_token_invalid")
    const exchange = {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: refresh_token,
      subject_token_type: "urn:ietf:params:oauth:token-type:refresh_token",
    }
    for (const target of ["resource", "audience"])
      expect((await post({ ...exchange, [target]: service.url })).body.reason, target).toBe(
        "subject_token_invalid",
      )
    expect(audienceOf((await post(exchange)).body)).toBe(sold.url)
    const again = await post(refresh)
    expect([again.status, audienceOf(again.body)]).toEqual([200, sold.url])
  })

  it("RPL-24: the commitment of a payment holds for its resource only", async () => {
    const purchase = await preparePurchase(service, await service.customer(), { resource: sold.url })
    expect((await post({}, purchase.headers)).body.reason).toBe("commitment_mismatch")
    expect((await post({ resource: sold.url }, purchase.headers)).status).toBe(200)
  })

  it("is chosen in the URL by a client that cannot set a body, and by client credentials", async () => {
    const at = `${service.url}/token?resource=${encodeURIComponent(sold.url)}`
    for (const method of ["GET", "POST"])
      expect(resourceOfOffers(await (await fetch(at, { method })).json()), method).toBe(sold.url)
    const login = { grant_type: "client_credentials", client_id: "billing", client_secret: secret }
    expect(audienceOf((await post({ ...login, resource: sold.url })).body)).toBe(sold.url)
    expect(audienceOf((await post(login)).body)).toBe(service.url)
  })
})

describe("a resource that the issuer does not sell", () => {
  it("is refused at the token endpoint, before anything is paid", async () => {
    const stranger = "https://elsewhere.example"
    const { bought } = await buy(stranger)
    expect([bought.status, bought.body.error]).toEqual([400, "invalid_target"])
    const at = `?resource=${encodeURIComponent(stranger)}`
    expect((await fetch(`${service.url}/token${at}`)).status).toBe(400)
    expect((await fetch(`${service.url}/gate/price/movies:read${at}`)).status).toBe(400)
  })

  it("gets 503 from its verifier, with a sentence that names the missing entry", async () => {
    const unsold = protect(await listen())
    const answer = await fetch(unsold.url)
    expect(answer.status).toBe(503)
    expect(((await answer.json()) as { error_description: string }).error_description).toContain(
      `The issuer ${service.url} sells no tokens for ${unsold.url}: add it to its resources.`,
    )
  })
})

it("localhost against 127.0.0.1 is named in the refusal", async () => {
  const client = createClient({
    account: await service.customer(),
    budget: { perPurchase: "0.05", perDay: "1.00" },
    networks: ["eip155:11155111"],
  })
  const { host, port } = new URL(service.url)
  const error = await client.fetch(`http://localhost:${port}/movies/7`).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(Ticket402Error)
  expect(error).toMatchObject({
    code: "resource_foreign",
    wanted: `a call to http://${host}, because localhost and 127.0.0.1 are two origins`,
  })
})
