/** Rules for the client library: how it behaves towards services that mislead it. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createClient, createVerifier, Ticket402Error } from "../../../client/index.ts"
import { encodeHeader } from "../../../shared/values/codec.ts"
import { paymentRequiredHeader } from "../../../shared/x402/messages.ts"
import { type Fixture, tokenOf } from "../fixture.ts"
import { NotRun, requireEqual, requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"

/** A server that counts its requests. */
async function openServer(
  answer: (path: string, url: string) => { headers?: Record<string, string>; body: object },
) {
  const visits: string[] = []
  const server = createServer((request, response) => {
    visits.push(request.url ?? "")
    const { headers, body } = answer(request.url ?? "", url)
    const status = headers?.[paymentRequiredHeader] === undefined ? 200 : 402
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
  }).listen(0, "127.0.0.1")
  await new Promise((resolve) => server.once("listening", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url, visits, close }
}

async function requireOption(what: string, make: () => unknown): Promise<void> {
  try {
    make()
  } catch (error) {
    if (error instanceof Ticket402Error) return
    throw error
  }
  requireThat(false, `${what}: found no refusal, wanted one`)
}

export const clientRules: readonly Rule<Fixture>[] = [
  {
    id: "N-8414-1",
    clause: "RFC 8414 §3.3",
    promise: "a verifier refuses metadata of another issuer, and accepts no token by it",
    async check(fixture) {
      const other = await openServer((path, url) => ({
        body: path.includes("oauth-authorization-server")
          ? {
              issuer: `${url}/other`,
              jwks_uri: `${url}/jwks`,
              revocations_uri: `${url}/list`,
              gate_uri: `${url}/gate`,
            }
          : { keys: [] },
      }))
      const verifier = createVerifier({ issuer: other.url })
      try {
        const verdict = await verifier.check(`Bearer ${await tokenOf(fixture.direct)}`, "movies:read")
        requireEqual("verdict", [verdict.kind, "status" in verdict && verdict.status], ["refuse", 503])
        requireThat(!other.visits.includes("/jwks"), "found a request for the keys of another issuer")
      } finally {
        verifier.close()
        other.close()
      }
    },
  },
  {
    id: "N-9728-3",
    clause: "RFC 9728 §7.7",
    promise: "the client fetches no URL that an answer names, and nothing over plain http",
    async check(fixture) {
      for (const issuer of ["http://10.0.0.1", "http://cinema.example", "ftp://cinema.example"])
        await requireOption(issuer, () => createVerifier({ issuer }).close())
      const trap = await openServer(() => ({ body: {} }))
      const quote = {
        x402Version: 2,
        error: "token_missing",
        resource: { url: trap.url },
        accepts: [],
        extensions: {
          "access-token": { info: { tokenEndpoint: `${trap.url}/token`, resource: trap.url, offers: {} } },
        },
      }
      const misleading = await openServer((_path, url) => ({
        headers: {
          [paymentRequiredHeader]: encodeHeader(quote),
          "www-authenticate": `Bearer realm="${url}", resource_metadata="${trap.url}/.well-known/oauth-protected-resource"`,
        },
        body: quote,
      }))
      const otherIssuer = await openServer((_path, url) => ({
        body: {
          issuer: url,
          jwks_uri: `${trap.url}/jwks`,
          revocations_uri: `${trap.url}/l`,
          gate_uri: `${trap.url}/g`,
        },
      }))
      const verifier = createVerifier({ issuer: otherIssuer.url })
      try {
        const { payer } = fixture.direct.access
        if (!payer) throw new NotRun("needs an account that pays")
        const client = createClient({
          account: payer.account,
          budget: { perPurchase: "1", perDay: "1" },
          networks: [payer.network],
        })
        await client.fetch(`${misleading.url}/movies/1`).catch((error: unknown) => {
          if (!(error instanceof Ticket402Error)) throw error
        })
        await verifier.check(`Bearer ${await tokenOf(fixture.direct)}`, "movies:read")
        requireThat(misleading.visits.length > 0 && otherIssuer.visits.length > 0, "found no request at all")
        requireEqual("requests to the URL in the answers", trap.visits, [])
      } finally {
        verifier.close()
        for (const server of [trap, misleading, otherIssuer]) server.close()
      }
    },
  },
]
