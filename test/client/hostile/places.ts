/** Token endpoints and audiences that look like the seller's and are somebody else's. */
import { json, type Recorded } from "../../support/fake-origin.ts"
import type { Scenario, World } from "./world.ts"

const place = (name: string, spell: (foreign: URL, seller: URL) => string): Scenario => ({
  name,
  ends: "token_endpoint_foreign",
  arrange: ({ seller, foreign }) => {
    seller.tokenEndpoint = spell(new URL(foreign.url), new URL(seller.url))
    accept(foreign)
  },
})

/** The other origin would sell, if only it were asked. */
function accept(foreign: World["foreign"]): void {
  for (const path of ["/token", "//token", "/"])
    foreign.always(`POST ${path}`, (request, response) => foreign.router(request, response))
}

const audience = (name: string, spell: (foreign: URL, seller: URL) => string): Scenario => ({
  name,
  ends: "resource_foreign",
  arrange: ({ seller, foreign }) => {
    seller.resource = spell(new URL(foreign.url), new URL(seller.url))
  },
})

export const places: readonly Scenario[] = [
  place("a ticket office elsewhere (CLI-05)", ({ origin }) => `${origin}/token`),
  place("an office without a scheme (CLI-05)", ({ host }) => `//${host}/token`),
  place("an office behind backslashes (CLI-05)", ({ host }) => `\\\\${host}\\token`),
  place("an office behind a slash and a backslash (CLI-05)", ({ host }) => `/\\${host}/token`),
  place("an office behind tabs and line breaks", ({ host }) => `/\t/\n${host}/token`),
  place(
    "the seller's name as a user of the other (CLI-05)",
    ({ host }, seller) => `http://${seller.host}@${host}/token`,
  ),
  place("an escaped at sign", ({ host }, seller) => `http://${seller.host}%40${host}/token`),
  place("the seller's own office, with a password", (_, { host }) => `http://user:secret@${host}/token`),
  place("another port of the same host", ({ port }, { hostname }) => `http://${hostname}:${port}/token`),
  place("the same machine by another name", (_, { port }) => `http://localhost:${port}/token`),
  place("a dot behind the name", (_, { port }) => `http://localhost.:${port}/token`),
  place("the name as a subdomain of another", (_, { hostname }) => `https://${hostname}.evil.example/token`),
  place("the same address in the other family", (_, { port }) => `http://[::ffff:127.0.0.1]:${port}/token`),
  place("letters that look alike", () => "https://аpi.example.com/token"),
  place("a fragment that hides the rest", ({ host }, { origin }) => `${origin}/token#@${host}/`),
  place("a script", () => "javascript:fetch('/token')"),
  place("data", () => "data:application/json,{}"),
  place("a file", () => "file:///etc/passwd"),
  place("the metadata service of a cloud", () => "http://169.254.169.254/latest/meta-data/"),
  place("another scheme of the same host", (_, { host }) => `https://${host}/token`),
  place("nothing", () => ""),
  audience("an audience elsewhere (CLI-06)", ({ origin }) => origin),
  audience("an audience beside the path asked for (CLI-12)", (_, { origin }) => `${origin}/tenant1`),
  audience("an audience that only begins like the path", (_, { origin }) => `${origin}/mov`),
  audience("an audience with a password", (_, { host }) => `http://a:b@${host}/`),
  audience("an audience that is no URL", () => "movies"),
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
    options: ({ seller }) => ({ fetch: answering(seller) }),
    act: ({ client }) => client.fetch("http://api.example/movies/7"),
  },
]

/** Any address answers with the seller's 402, its names put in. */
const answering =
  (seller: World["seller"]): typeof fetch =>
  async (input) => {
    const { origin } = new URL(String(input instanceof Request ? input.url : input))
    seller.requests.push({ method: "GET", path: origin, headers: {}, body: "" } satisfies Recorded)
    const body = seller.challenge("token_missing", "read")
    const { info } = body.extensions["access-token"]
    Object.assign(info, { resource: origin, tokenEndpoint: `${origin}/token` })
    return Response.json(body, { status: 402 })
  }
