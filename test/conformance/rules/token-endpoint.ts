/** Rules of RFC 6749 at the token endpoint. */
import { decodeJwt } from "jose"
import { type Answer, form, type RequestParts } from "../http.ts"
import { NotRun, requireEqual, requireStatus, requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"

const json = (text: string): RequestParts => ({
  method: "POST",
  headers: [["content-type", "application/json"]],
  body: text,
})
const payWith = (header: string): RequestParts => ({
  method: "POST",
  headers: [["PAYMENT-SIGNATURE", header]],
})
const refreshWith = (token: string) => form({ grant_type: "refresh_token", refresh_token: token })

/** Malformed requests, each with one error, which need no access. */
const wrong: Readonly<Record<string, RequestParts>> = {
  "an unknown grant type": form({ grant_type: "urn:example:none" }),
  "a grant type without its parameters": form({ grant_type: "refresh_token" }),
  "an unknown refresh token": refreshWith("eA.eA"),
  "a refresh token with control characters": refreshWith('\u0000\u001b[31m"\\'),
  "JSON cut off": json('{"grant_type":'),
  "JSON that is no object": json("[]"),
  "JSON with a prototype member": json('{"__proto__":{"grant_type":"refresh_token"}}'),
  "a number as grant type": json('{"grant_type":1}'),
  "a payment that is no base64": payWith("%%%"),
  "a payment that is no payment": payWith(Buffer.from("{}").toString("base64")),
}

/** Error codes of RFC 6749 §5.2, RFC 9449 §5 and §8, and RFC 8693 §2.2.2. */
const registered = new Set([
  "invalid_request",
  "invalid_client",
  "invalid_grant",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "invalid_target",
  "invalid_dpop_proof",
  "use_dpop_nonce",
])
/** RFC 6749 §5.2: characters of error and error_description. */
const printable = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/
const internals =
  /node_modules|\bat .+:\d+:\d+|\/(?:home|usr|var|tmp|work|root|app)\/|https?:\/\/|sqlite|\.ts\b/i

const verdictOf = ({ status, body }: Answer) => ({ status, error: body.error, reason: body.reason })

/** Token answers of every kind that the access allows. */
async function tokenAnswers(subject: Subject) {
  const { payer, client } = subject.access
  if (!payer && !client) throw new NotRun("needs an account that pays (--account) or a client (--client)")
  return [
    ...(payer ? [await subject.purchased(), await subject.refreshed()] : []),
    ...(client ? [await subject.byCredentials(), await subject.byCredentials()] : []),
  ]
}

export const tokenEndpointRules: readonly Rule[] = [
  {
    id: "N-6749-1",
    clause: "RFC 6749 §3.2",
    promise: "no method but POST yields a token; the others get 402 (GET) or 405, with Allow",
    async check(subject) {
      for (const method of ["GET", "HEAD", "PUT", "DELETE", "PATCH", "PROPFIND"]) {
        const answer = await subject.atToken({ method })
        const isRead = method === "GET" || method === "HEAD"
        requireStatus(method, answer, ...(isRead ? [402, 405] : [405]))
        requireEqual(`${method}: Allow`, answer.header("allow"), "POST")
        requireThat(answer.body.access_token === undefined, `${method}: found a token, wanted none`)
      }
    },
  },
  {
    id: "N-6749-2",
    clause: "RFC 6749 §3.2",
    promise: "a repeated parameter is refused; an unknown one changes nothing",
    async check({ atToken }) {
      const twice = [
        [
          ["grant_type", "refresh_token"],
          ["grant_type", "refresh_token"],
        ],
        [
          ["grant_type", "refresh_token"],
          ["refresh_token", "a"],
          ["refresh_token", "b"],
        ],
        [
          ["grant_type", "client_credentials"],
          ["scope", "a"],
          ["scope", "a"],
        ],
      ] as const
      for (const parameters of twice) {
        const answer = await atToken(form(parameters))
        requireEqual(
          `${parameters.at(-1)?.[0]} twice`,
          [answer.status, answer.body.error],
          [400, "invalid_request"],
        )
      }
      for (const parameters of [{}, { grant_type: "refresh_token", refresh_token: "a" }]) {
        const [without, with_] = [
          await atToken(form(parameters)),
          await atToken(form({ ...parameters, colour: "blue" })),
        ]
        requireEqual("with an unknown parameter", verdictOf(with_), verdictOf(without))
      }
    },
  },
  {
    id: "N-6749-3",
    clause: "RFC 6749 §5.1",
    promise: "an answer with a token is JSON, has the required members, and is not cacheable",
    async check(subject) {
      for (const { answer } of await tokenAnswers(subject)) {
        requireThat(
          /\bno-store\b/.test(answer.header("cache-control")),
          "a token: found no no-store, wanted it",
        )
        requireThat(/^application\/json\b/.test(answer.header("content-type")), "a token: wanted JSON")
        const { access_token, token_type, expires_in, scope } = answer.body
        requireThat(typeof access_token === "string" && access_token !== "", "found no access_token")
        requireThat(/^(bearer|dpop)$/i.test(String(token_type)), `found the token_type ${token_type}`)
        requireThat(Number.isInteger(expires_in) && Number(expires_in) > 0, `found expires_in ${expires_in}`)
        requireThat(typeof scope === "string" && scope !== "", "found no scope, wanted the granted one")
      }
    },
  },
  {
    id: "N-6749-4",
    clause: "RFC 6749 §5.2",
    promise: "errors are 400 with a registered code, in the allowed characters, without internals",
    async check({ atToken }) {
      for (const [what, asked] of Object.entries(wrong)) {
        const answer = await atToken(asked)
        requireStatus(what, answer, 400)
        const { error, error_description: description } = answer.body
        requireThat(
          registered.has(String(error)),
          `${what}: found the error ${error}, wanted a registered one`,
        )
        requireThat(
          description === undefined || printable.test(String(description)),
          `${what}: found a forbidden character`,
        )
        requireThat(!internals.test(answer.text), `${what}: found internals of the service in the answer`)
        requireThat(/\bno-store\b/.test(answer.header("cache-control")), `${what}: found no no-store`)
      }
    },
  },
  {
    id: "N-6749-5",
    clause: "RFC 6749 §4.5",
    promise: "grant types are registered names or absolute URIs; others are unsupported_grant_type",
    async check(subject) {
      const types = (await subject.metadata()).grant_types_supported
      requireThat(Array.isArray(types) && types.length > 0, "grant_types_supported: found none")
      for (const type of types.map(String))
        requireThat(
          /^(refresh_token|client_credentials|authorization_code|password)$/.test(type) || URL.canParse(type),
          `grant_types_supported: found ${type}, wanted an absolute URI`,
        )
      for (const type of ["password", "urn:example:none", "REFRESH_TOKEN", "refresh_token "]) {
        const { status, body } = await subject.atToken(form({ grant_type: type, refresh_token: "a" }))
        requireEqual(`grant_type ${type}`, [status, body.error], [400, "unsupported_grant_type"])
      }
    },
  },
  {
    id: "N-6749-6",
    clause: "RFC 6749 §10.10",
    promise: "jti and refresh tokens cannot be guessed: at least 128 bits, and no common part",
    async check(subject) {
      const answers = await tokenAnswers(subject)
      const ids = answers.map(({ token }) => String(decodeJwt(token).jti))
      const macs = answers.flatMap(({ refreshToken }) => refreshToken.split(".").at(-1) || [])
      for (const secrets of [ids, macs]) {
        // Characters of base64url or hex: a counter or a clock would show at the start or at the end.
        for (const secret of secrets)
          requireThat(secret.length >= 22, `found ${secret.length} characters, wanted 22`)
        for (const part of [(text: string) => text.slice(0, 8), (text: string) => text.slice(-8)])
          requireThat(new Set(secrets.map(part)).size === secrets.length, "found two with a common part")
      }
    },
  },
]
