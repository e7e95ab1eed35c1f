/** RFC 6749 at the ticket office. */
import { decodeJwt } from "jose"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"
import { Unseen, want, wantSame, wantStatus } from "../want.ts"
import { type Answer, type Asked, form } from "../wire.ts"

const json = (text: string): Asked => ({
  method: "POST",
  headers: [["content-type", "application/json"]],
  body: text,
})
const paying = (header: string): Asked => ({ method: "POST", headers: [["PAYMENT-SIGNATURE", header]] })
const refreshing = (token: string) => form({ grant_type: "refresh_token", refresh_token: token })

/** Requests that are wrong, each in its own way, and need nothing to be made. */
const wrong: Readonly<Record<string, Asked>> = {
  "an unknown grant type": form({ grant_type: "urn:example:none" }),
  "a grant type without its parameters": form({ grant_type: "refresh_token" }),
  "a refresh token of nobody": refreshing("eA.eA"),
  "a refresh token with control characters": refreshing('\u0000\u001b[31m"\\'),
  "JSON cut off": json('{"grant_type":'),
  "JSON that is no object": json("[]"),
  "JSON that reaches for prototypes": json('{"__proto__":{"grant_type":"refresh_token"}}'),
  "a number for a grant type": json('{"grant_type":1}'),
  "a payment that is no base64": paying("%%%"),
  "a payment that is no payment": paying(Buffer.from("{}").toString("base64")),
}

/** RFC 6749 §5.2, RFC 9449 §5 and §8, RFC 8693 §2.2.2. */
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
/** RFC 6749 §5.2: error and error_description. */
const printable = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/
const revealing =
  /node_modules|\bat .+:\d+:\d+|\/(?:home|usr|var|tmp|work|root|app)\/|https?:\/\/|sqlite|\.ts\b/i

const verdictOf = ({ status, body }: Answer) => ({ status, error: body.error, reason: body.reason })

/** Token answers by every means there are. */
async function sales(subject: Subject) {
  const { payer, client } = subject.means
  if (!payer && !client) throw new Unseen("needs an account that pays (--account) or a client (--client)")
  return [
    ...(payer ? [await subject.purchased(), await subject.refreshed()] : []),
    ...(client ? [await subject.byCredentials(), await subject.byCredentials()] : []),
  ]
}

export const tokenEndpointRules: readonly Rule[] = [
  {
    id: "N-6749-1",
    clause: "RFC 6749 §3.2",
    promise: "the token endpoint takes POST only; other methods get 405 with Allow, and no token",
    async check(subject) {
      for (const method of ["GET", "HEAD", "PUT", "DELETE", "PATCH", "PROPFIND"]) {
        const answer = await subject.atToken({ method })
        wantStatus(method, answer, 405)
        wantSame(`${method}: Allow`, answer.header("allow"), "POST")
        want(answer.body.access_token === undefined, `${method}: found a token, wanted none`)
      }
    },
  },
  {
    id: "N-6749-2",
    clause: "RFC 6749 §3.2",
    promise: "a parameter given twice is refused; one nobody knows changes nothing",
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
        wantSame(
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
        wantSame("with an unknown parameter", verdictOf(with_), verdictOf(without))
      }
    },
  },
  {
    id: "N-6749-3",
    clause: "RFC 6749 §5.1",
    promise: "an answer with a token is JSON, has the required members, and is stored nowhere",
    async check(subject) {
      for (const { answer } of await sales(subject)) {
        want(/\bno-store\b/.test(answer.header("cache-control")), "a token: found no no-store, wanted it")
        want(/^application\/json\b/.test(answer.header("content-type")), "a token: wanted JSON")
        const { access_token, token_type, expires_in, scope } = answer.body
        want(typeof access_token === "string" && access_token !== "", "found no access_token")
        want(/^(bearer|dpop)$/i.test(String(token_type)), `found the token_type ${token_type}`)
        want(Number.isInteger(expires_in) && Number(expires_in) > 0, `found expires_in ${expires_in}`)
        want(typeof scope === "string" && scope !== "", "found no scope, wanted the one that was granted")
      }
    },
  },
  {
    id: "N-6749-4",
    clause: "RFC 6749 §5.2",
    promise:
      "errors are 400 with a registered code, in the characters allowed, and show nothing of the inside",
    async check({ atToken }) {
      for (const [what, asked] of Object.entries(wrong)) {
        const answer = await atToken(asked)
        wantStatus(what, answer, 400)
        const { error, error_description: description } = answer.body
        want(registered.has(String(error)), `${what}: found the error ${error}, wanted a registered one`)
        want(
          description === undefined || printable.test(String(description)),
          `${what}: found a character not allowed`,
        )
        want(!revealing.test(answer.text), `${what}: found something of the inside in the answer`)
        want(/\bno-store\b/.test(answer.header("cache-control")), `${what}: found no no-store`)
      }
    },
  },
  {
    id: "N-6749-5",
    clause: "RFC 6749 §4.5",
    promise: "grant types are registered ones or absolute URIs; another is unsupported_grant_type",
    async check(subject) {
      const types = (await subject.metadata()).grant_types_supported
      want(Array.isArray(types) && types.length > 0, "grant_types_supported: found none")
      for (const type of types.map(String))
        want(
          /^(refresh_token|client_credentials|authorization_code|password)$/.test(type) || URL.canParse(type),
          `grant_types_supported: found ${type}, wanted an absolute URI`,
        )
      for (const type of ["password", "urn:example:none", "REFRESH_TOKEN", "refresh_token "]) {
        const { status, body } = await subject.atToken(form({ grant_type: type, refresh_token: "a" }))
        wantSame(`grant_type ${type}`, [status, body.error], [400, "unsupported_grant_type"])
      }
    },
  },
  {
    id: "N-6749-6",
    clause: "RFC 6749 §10.10",
    promise: "jti and refresh tokens cannot be guessed: 128 bits at least, and nothing in common",
    async check(subject) {
      const sold = await sales(subject)
      const ids = sold.map(({ token }) => String(decodeJwt(token).jti))
      const macs = sold.flatMap(({ refreshToken }) => refreshToken.split(".").at(-1) || [])
      for (const secrets of [ids, macs]) {
        // Characters of base64url or hex: a count or a clock would show in front or at the end.
        for (const secret of secrets)
          want(secret.length >= 22, `found ${secret.length} characters, wanted 22`)
        for (const part of [(text: string) => text.slice(0, 8), (text: string) => text.slice(-8)])
          want(new Set(secrets.map(part)).size === secrets.length, "found two that have a part in common")
      }
    },
  },
]
