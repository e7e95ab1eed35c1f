/** Token endpoints and resources that look like the seller's and are not. */
import { json, type Recorded } from "../../support/fake-origin.ts"
import type { Scenario, Setting } from "./scenario.ts"

const endpoint = (name: string, spell: (foreign: URL, seller: URL) => string): Scenario => ({
  name,
  ends: "token_endpoint_foreign",
  arrange: ({ seller, foreign }) => {
    seller.tokenEndpoint = spell(new URL(foreign.url), new URL(seller.url))
    accept(foreign)
  },
})

/** The other origin would sell if it were asked. */
function accept(foreign: Setting["foreign"]): void {
  for (const path of ["/token", "//token", "/"])
    foreign.always(`POST ${path}`, (request, response) => foreign.router(request, response))
}

const resourceAt = (name: string, spell: (foreign: URL, seller: URL) => string): Scenario => ({
  name,
  ends: "resource_foreign",
  arrange: ({ seller, foreign }) => {
    seller.resource = spell(new URL(foreign.url), new URL(seller.url))
  },
})

export const places: readonly Scenario[] = [
  endpoint("a token endpoint on another origin (CLI-05)", ({ origin }) => `${origin}/token`),
  endpoint("an endpoint without a scheme (CLI-05)", ({ host }) => `//${host}/token`),
  endpoint("an endpoint behind backslashes (CLI-05)", ({ host }) => `\\\\${host}\\token`),
  endpoint("an endpoint behind a slash and a backslash (CLI-05)", ({ host }) => `/\\${host}/token`),
  endpoint("an endpoint behind tabs and line breaks", ({ host }) => `/\t/\n${host}/token`),
  endpoint(
    "the seller's name as user of another host (CLI-05)",
    ({ host }, seller) => `http://${seller.host}@${host}/token`,
  ),
  endpoint("an escaped at sign", ({ host }, seller) => `http://${seller.host}%40${host}/token`),
  endpoint("the seller's own endpoint with a password", (_, { host }) => `http://user:secret@${host}/token`),
  endpoint("another port of the same host", ({ port }, { hostname }) => `http://${hostname}:${port}/token`),
  endpoint("the same machine by another name", (_, { port }) => `http://localhost:${port}/token`),
  endpoint("a trailing dot in the host", (_, { port }) => `http://localhost.:${port}/token`),
  endpoint(
    "the seller's name as subdomain of another host",
    (_, { hostname }) => `https://${hostname}.evil.example/token`,
  ),
  endpoint("the same address as IPv6", (_, { port }) => `http://[::ffff:127.0.0.1]:${port}/token`),
  endpoint("a look-alike letter in the host", () => "https://аpi.example.com/token"),
  endpoint("a fragment that hides another host", ({ host }, { origin }) => `${origin}/token#@${host}/`),
  endpoint("a javascript URL", () => "javascript:fetch('/token')"),
  endpoint("data", () => "data:application/json,{}"),
  endpoint("a file URL", () => "file:///etc/passwd"),
  endpoint("a cloud's metadata service", () => "http://169.254.169.254/latest/meta-data/"),
  endpoint("another scheme of the same host", (_, { host }) => `https://${host}/token`),
  endpoint("nothing", () => ""),
  resourceAt("a resource on another origin (CLI-06)", ({ origin }) => origin),
  resourceAt("a resource beside the requested path (CLI-12)", (_, { origin }) => `${origin}/tenant1`),
  resourceAt("a resource that is only a prefix of the path's text", (_, { origin }) => `${origin}/mov`),
  resourceAt("a resource with a password", (_, { host }) => `http://a:b@${host}/`),
  resourceAt("a resource that is no URL", () => "movies"),
  {
    name: "a 402 copied from another seller (CLI-06)",
    ends: "resource_foreign",
    arrange({ seller, foreign }) {
      seller.always("GET /movies/7", (_request, response) =>
        json(response, 402, foreign.challenge("token_missing", "read")),
      )
    },
  },
  {
    name: "an API over plain http on another host (CLI-22)",
    ends: "insecure_url",
    options: ({ seller }) => ({ fetch: answerEverywhere(seller) }),
    act: ({ client }) => client.fetch("http://api.example/movies/7"),
  },
]

/** Answers every address with the seller's 402, adapted to that address. */
const answerEverywhere =
  (seller: Setting["seller"]): typeof fetch =>
  async (input) => {
    const { origin } = new URL(String(input instanceof Request ? input.url : input))
    seller.requests.push({ method: "GET", path: origin, headers: {}, body: "" } satisfies Recorded)
    const body = seller.challenge("token_missing", "read")
    const { info } = body.extensions["access-token"]
    Object.assign(info, { resource: origin, tokenEndpoint: `${origin}/token` })
    return Response.json(body, { status: 402 })
  }
