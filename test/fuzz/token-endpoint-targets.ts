/** `POST /token` as a fuzz target, in this process and over sockets, and the gate over sockets. */
import fc from "fast-check"
import {
  clientCredentialsGrantType,
  commitmentHeader,
  idempotencyHeader,
  paymentGrantType,
  refreshGrantType,
  secretHeader,
} from "../../shared/oauth/messages.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { sendRaw, statusesOf } from "../support/raw-http.ts"
import type { TestService } from "../support/service.ts"
import { authorizations } from "./gate-target.ts"
import { scratched } from "./mutate.ts"
import { headerTexts, jsonTexts } from "./reader-targets.ts"
import type { Target } from "./run.ts"
import type { SeedInputs } from "./seed-inputs.ts"

type TokenInput = {
  readonly method: string
  readonly query: string
  readonly headers: Record<string, string>
  readonly body: string | undefined
  readonly peer: string
}

/** A client on the whitelist of the service under test. */
export const fuzzClient = { client_id: "billing", client_secret: "s".repeat(43) }
const basic = `Basic ${Buffer.from(Object.values(fuzzClient).join(":")).toString("base64")}`
const jsonType = "application/json"
const formType = "application/x-www-form-urlencoded"
const hex = fc.oneof(
  fc.uint8Array({ minLength: 30, maxLength: 34 }).map((bytes) => Buffer.from(bytes).toString("hex")),
  fc.string({ maxLength: 70 }),
)

function tokenInputs(seeds: SeedInputs): fc.Arbitrary<TokenInput> {
  const optional = <T>(arbitrary: fc.Arbitrary<T>, often = 3) =>
    fc.option(arbitrary, { freq: often, nil: undefined })
  const payments = seeds.purchases.map((purchase) => purchase.payload)
  const bodies = payments.map((payment) => ({ grant_type: paymentGrantType, payment }))
  const client = { grant_type: clientCredentialsGrantType, ...fuzzClient, scope: "movies:read" }
  const grantBodies: readonly Record<string, string>[] = [
    ...seeds.refreshTokens.map((refresh_token) => ({ grant_type: refreshGrantType, refresh_token })),
    client,
    client,
  ]
  const forms = scratched(
    fc.constantFrom(...grantBodies).map((refresh) => new URLSearchParams(refresh).toString()),
  )
  const otherType = fc.constantFrom("text/plain", "application/json; charset=utf-16", formType, jsonType, ";")
  const typed = (texts: fc.Arbitrary<string>, type: string) =>
    fc.tuple(texts, fc.oneof({ weight: 12, arbitrary: fc.constant(type) }, otherType))
  const known = fc.constantFrom(...seeds.purchases)
  const extraHeaders = fc.oneof(
    { weight: 8, arbitrary: fc.constant({}) },
    known.map(({ headers }) => ({ [commitmentHeader]: headers[commitmentHeader] ?? "" })),
    known.map(({ secret }) => ({ [secretHeader]: secret })),
    fc
      .tuple(fc.constantFrom(commitmentHeader, secretHeader), hex)
      .map(([name, value]) => ({ [name]: value })),
    fc.string({ maxLength: 300 }).map((value) => ({ [idempotencyHeader]: value })),
    scratched(fc.constant(basic)).map((value) => ({ authorization: value })),
  )
  const inHeader = fc.tuple(headerTexts(payments), extraHeaders).map(([payment, more]) => ({
    headers: { [paymentSignatureHeader]: payment, ...more },
    body: undefined,
  }))
  const body = fc.oneof(
    { weight: 4, arbitrary: typed(jsonTexts(bodies), jsonType) },
    { weight: 1, arbitrary: typed(jsonTexts(grantBodies), jsonType) },
    { weight: 2, arbitrary: typed(forms, formType) },
  )
  const inBody = fc.tuple(body, extraHeaders).map(([[text, type], more]) => ({
    headers: { "content-type": type, ...more } as Record<string, string>,
    body: text,
  }))
  return fc
    .tuple(
      fc.oneof({ weight: 3, arbitrary: inHeader }, { weight: 3, arbitrary: inBody }),
      fc.oneof(
        { weight: 30, arbitrary: fc.constant("POST") },
        { weight: 1, arbitrary: fc.constantFrom("GET", "PUT", "OPTIONS") },
      ),
      optional(
        fc.oneof(fc.constantFrom("offer=hour", "offer=", "offer=%ff", "a=b&a=c"), fc.webQueryParameters()),
      ),
      fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant("")),
    )
    .map(([request, method, query, peer]) => ({
      ...request,
      peer,
      method,
      query: query === undefined ? "" : `?${query}`,
    }))
}

export function tokenTarget(service: TestService, seeds: SeedInputs): Target<TokenInput> {
  return {
    name: "POST /token",
    inputs: tokenInputs(seeds),
    async run(input) {
      const request = requestOf(service.url, input)
      if (!request) return "no request"
      const answer = await service.issuer.router.handle(request, {
        path: new URL(request.url).pathname,
        peer: input.peer,
        rawHeaders: [],
      })
      const { status, headers } = answer
      const body = (await answer.json()) as { access_token?: string; grant?: { id: string } }
      if (status >= 500) throw new Error(`answered ${status} ${JSON.stringify(body)}`)
      if (headers.get("cache-control") !== "no-store") throw new Error("the answer may be cached")
      if ((status === 200) !== (body.access_token !== undefined)) throw new Error(`a token with ${status}`)
      return String(status)
    },
  }
}

/** Undefined if fetch itself refuses to make the request. */
function requestOf(url: string, { method, query, headers, body }: TokenInput): Request | undefined {
  try {
    const init = method === "GET" || body === undefined ? {} : { body }
    return new Request(`${url}/token${query}`, { method, headers, ...init })
  } catch {
    return undefined
  }
}

/** Bytes of whole requests to /token and to a gated route; some are cut, split or contradictory. */
export function httpTarget(service: TestService, seeds: SeedInputs): Target<string> {
  const port = Number(new URL(service.url).port)
  const line = (value: string) => value.replace(/[\r\n]/g, " ")
  const method = fc.constantFrom("POST", "POST", "POST", "GET", "HEAD", "OPTIONS", "TRACE", "PATCH", "post")
  const target = fc.constantFrom(
    "/token",
    "/token",
    "/token?offer=hour",
    "http://x/token",
    "/token/",
    "/TOKEN",
    "*",
  )
  const route = fc.constantFrom(
    "/movies/1",
    "/movies/%ff",
    "/movies/..",
    "/movies/1?access_token=x",
    "//movies/1",
  )
  const length = fc.constantFrom<(body: string) => string>(
    (body) => `Content-Length: ${Buffer.byteLength(body, "latin1")}`,
    (body) => `Content-Length: ${body.length + 5}`,
    () => "Transfer-Encoding: chunked",
    () => "Content-Length: -1",
  )
  const router = fc.tuple(method, target, tokenInputs(seeds), length).map(([verb, path, input, lengthOf]) => {
    const fields = Object.entries(input.headers).map(([name, value]) => `${name}: ${line(value)}`)
    const body = input.body ?? ""
    const framing = input.body === undefined ? [] : [lengthOf(body)]
    return [`${verb} ${path} HTTP/1.1`, "Host: x", ...fields, ...framing, "", body].join("\r\n")
  })
  const gatedRoute = fc.tuple(method, route, authorizations(seeds.tokens)).map(([verb, path, value]) => {
    const get = verb === "POST" ? "GET" : verb
    return [`${get} ${path} HTTP/1.1`, "Host: x", `Authorization: ${line(value)}`, "", ""].join("\r\n")
  })
  const whole = fc.oneof(router, gatedRoute)
  return {
    name: "over HTTP",
    inputs: fc.oneof({ weight: 3, arbitrary: whole }, { weight: 1, arbitrary: scratched(whole) }),
    async run(bytes) {
      const answer = await sendRaw(
        port,
        Buffer.from(bytes.replace("\r\n", "\r\nConnection: close\r\n"), "latin1"),
      )
      const statuses = statusesOf(answer)
      if (statuses.some((status) => status >= 500)) throw new Error(answer.slice(0, 200))
      return statuses.length === 0 ? "closed" : statuses.join(" ")
    },
  }
}
