/** Rules of RFC 6750 at the gate. */
import { decodeJwt } from "jose"
import { attributeOf, type Challenge, challengesIn } from "../challenge.ts"
import { type Answer, type Fields, form, send } from "../http.ts"
import { requireEqual, requireStatus, requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"

const bearer = (token: string): Fields => [["authorization", `Bearer ${token}`]]
/** A well-formed token that no service issued. */
export const unknownToken = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIn0.AAAA"

/** Values that are no token by their form, without the characters that no header may hold. */
const malformed = [
  "Bearer",
  "Bearer ",
  "Bearer  a b",
  "Bearer a,b",
  "Bearer =a",
  "Bearer a.b",
  "Bearer ....",
  'Bearer "a"',
  "Bearer \u00e9\u00e8",
  "bearer\tx",
  "Basic YTpi",
  "Token abc",
  "a.b.c",
  `Bearer ${"a".repeat(7000)}`,
] as const

const requireBearerChallenge = (what: string, answer: Answer): Challenge => {
  const found = challengesIn(answer.fields("www-authenticate")).find(({ scheme }) => scheme === "bearer")
  requireThat(found !== undefined, `${what}: found no Bearer challenge, wanted one`)
  return found
}

/** One refusal of every kind that needs no token. */
async function refusals(subject: Subject): Promise<readonly (readonly [string, Answer])[]> {
  return [
    ["no token", await subject.atGate()],
    ["a payment at the gate", await subject.atGate([["PAYMENT-SIGNATURE", "e30="]])],
    ["a foreign token", await subject.atGate(bearer(unknownToken))],
    ["another scheme", await subject.atGate([["authorization", "Basic YTpi"]])],
    [
      "two tokens",
      await subject.atGate([["authorization", `Bearer ${unknownToken}, Bearer ${unknownToken}`]]),
    ],
  ]
}

export const bearerRules: readonly Rule[] = [
  {
    id: "N-6750-1",
    clause: "RFC 6750 §2",
    promise: "a token sent in two ways, or two tokens, are refused as invalid_request",
    async check(subject) {
      const token = await subject.token()
      const [field] = bearer(token)
      const twice = {
        "two fields": await subject.atGate([...bearer(token), ...bearer(token)]),
        "a list": await subject.atGate([["authorization", `${field?.[1]}, ${field?.[1]}`]]),
        "header and query": await subject.atGate(bearer(token), { query: `?access_token=${token}` }),
      }
      for (const [what, answer] of Object.entries(twice)) {
        requireStatus(what, answer, 400)
        // A proxy that refuses two fields gives no error code.
        const error =
          answer.body.error ?? attributeOf(challengesIn(answer.fields("www-authenticate"))[0], "error")
        requireThat(
          error === undefined || error === "invalid_request",
          `${what}: found ${error}, wanted invalid_request`,
        )
      }
    },
  },
  {
    id: "N-6750-2",
    clause: "RFC 6750 §2.1",
    promise: "the scheme is case-insensitive; a malformed token is refused, never with 500",
    async check(subject) {
      const token = await subject.token()
      for (const scheme of ["Bearer", "bearer", "BEARER", "bEaReR"])
        requireStatus(scheme, await subject.atGate([["authorization", `${scheme} ${token}`]]), 200)
      for (const value of malformed)
        requireStatus(
          JSON.stringify(value.slice(0, 30)),
          await subject.atGate([["authorization", value]]),
          400,
          401,
        )
    },
  },
  {
    id: "N-6750-3",
    clause: "RFC 6750 §2.3, §5.3",
    promise: "a token in the query string gives no access",
    async check(subject) {
      const token = await subject.token()
      const query = `?access_token=${token}`
      requireStatus("at the gate", await subject.atGate([], { query }), 400, 401, 402)
      const router = new URL(await subject.endpoint("token_endpoint"))
      for (const path of ["", "/status", "/receipt"])
        for (const method of ["GET", "POST"]) {
          const { status } = await send(`${router}${path}${query}`, { method })
          requireThat(status >= 400, `${method} ${router.pathname}${path}: found ${status}, wanted a refusal`)
        }
    },
  },
  {
    id: "N-6750-4",
    clause: "RFC 6750 §3",
    promise: "every refusal carries a challenge, 402 included, with each attribute once",
    async check(subject) {
      for (const [what, answer] of await refusals(subject)) {
        requireStatus(what, answer, 400, 401, 402)
        requireBearerChallenge(what, answer)
        for (const { scheme, attributes } of challengesIn(answer.fields("www-authenticate"))) {
          const names = attributes.map(([name]) => name)
          requireThat(new Set(names).size === names.length, `${what}: found an attribute of ${scheme} twice`)
        }
      }
    },
  },
  {
    id: "N-6750-5",
    clause: "RFC 6750 §3.1",
    promise: "no token: no error; bad token: invalid_token; too little scope: insufficient_scope",
    async check(subject) {
      const errorOf = (what: string, answer: Answer) =>
        attributeOf(requireBearerChallenge(what, answer), "error")
      const none = await subject.atGate()
      requireStatus("no token", none, 402)
      requireEqual("no token", errorOf("no token", none), undefined)
      const bad = await subject.atGate(bearer(unknownToken))
      requireStatus("a bad token", bad, 401)
      requireEqual("a bad token", errorOf("a bad token", bad), "invalid_token")
      const tooLittle = await subject.atGate(bearer(await tokenOfAnotherScope(subject)))
      requireStatus("too little scope", tooLittle, 402)
      requireEqual("too little scope", errorOf("too little scope", tooLittle), "insufficient_scope")
      requireThat(
        attributeOf(requireBearerChallenge("", tooLittle), "scope") !== undefined,
        "found no scope, wanted the required one",
      )
    },
  },
  {
    id: "N-6750-6",
    clause: "RFC 6750 §5.3",
    promise: "tokens live an hour at most, and travel by TLS or on one machine only",
    async check(subject) {
      const { protocol, hostname } = new URL(subject.issuer)
      const isLocal = /^(localhost|\[::1\]|127(\.\d+){3})$/.test(hostname)
      requireThat(protocol === "https:" || isLocal, `found ${protocol}, wanted https:`)
      const token = await subject.token()
      const { iat = 0, exp = Number.POSITIVE_INFINITY } = decodeJwt(token)
      requireThat(exp - iat <= 3600, `found a life of ${exp - iat} s, wanted 3600 s at most`)
    },
  },
]

/** A token whose scope does not open the route; bought once. */
async function tokenOfAnotherScope(subject: Subject): Promise<string> {
  const opening = await subject.openingScopes()
  const { token } = await subject.once("another scope", async () =>
    subject.buy(await subject.offerFor((scope, dpop) => !dpop && !opening.has(scope))),
  )
  return token
}

export const revocationBy = async (subject: Subject, token: string): Promise<Answer> =>
  send(await subject.endpoint("revocation_endpoint"), form({ token }))
