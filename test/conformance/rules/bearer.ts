/** RFC 6750 at the gate. */
import { decodeJwt } from "jose"
import { attributeOf, type Challenge, challengesIn } from "../challenge.ts"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"
import { want, wantSame, wantStatus } from "../want.ts"
import { type Answer, type Fields, form, send } from "../wire.ts"

const bearer = (token: string): Fields => [["authorization", `Bearer ${token}`]]
/** A token in form, and nobody's. */
export const nobodys = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIn0.AAAA"

/** What is no token by its form, beside what no header may hold. */
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

const bearerIn = (what: string, answer: Answer): Challenge => {
  const found = challengesIn(answer.fields("www-authenticate")).find(({ scheme }) => scheme === "bearer")
  want(found !== undefined, `${what}: found no Bearer challenge, wanted one`)
  return found
}

/** One that is refused, of every kind that can be made without a token. */
async function refusals(subject: Subject): Promise<readonly (readonly [string, Answer])[]> {
  return [
    ["no token", await subject.atGate()],
    ["a payment at the gate", await subject.atGate([["PAYMENT-SIGNATURE", "e30="]])],
    ["a foreign token", await subject.atGate(bearer(nobodys))],
    ["another scheme", await subject.atGate([["authorization", "Basic YTpi"]])],
    ["two tokens", await subject.atGate([["authorization", `Bearer ${nobodys}, Bearer ${nobodys}`]])],
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
        wantStatus(what, answer, 400)
        // A proxy that refuses two fields by itself says nothing more.
        const said =
          answer.body.error ?? attributeOf(challengesIn(answer.fields("www-authenticate"))[0], "error")
        want(
          said === undefined || said === "invalid_request",
          `${what}: found ${said}, wanted invalid_request`,
        )
      }
    },
  },
  {
    id: "N-6750-2",
    clause: "RFC 6750 §2.1",
    promise: "the scheme counts in any case; what is no token is refused at once, never with 500",
    async check(subject) {
      const token = await subject.token()
      for (const scheme of ["Bearer", "bearer", "BEARER", "bEaReR"])
        wantStatus(scheme, await subject.atGate([["authorization", `${scheme} ${token}`]]), 200)
      for (const value of malformed)
        wantStatus(
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
    promise: "a token in the query string opens nothing",
    async check(subject) {
      const token = await subject.token()
      const query = `?access_token=${token}`
      wantStatus("at the gate", await subject.atGate([], { query }), 400, 401, 402)
      const router = new URL(await subject.endpoint("token_endpoint"))
      for (const path of ["", "/status", "/receipt"])
        for (const method of ["GET", "POST"]) {
          const { status } = await send(`${router}${path}${query}`, { method })
          want(status >= 400, `${method} ${router.pathname}${path}: found ${status}, wanted a refusal`)
        }
    },
  },
  {
    id: "N-6750-4",
    clause: "RFC 6750 §3",
    promise: "every refusal for want of a token carries a challenge, 402 included, each attribute once",
    async check(subject) {
      for (const [what, answer] of await refusals(subject)) {
        wantStatus(what, answer, 400, 401, 402)
        bearerIn(what, answer)
        for (const { scheme, attributes } of challengesIn(answer.fields("www-authenticate"))) {
          const names = attributes.map(([name]) => name)
          want(new Set(names).size === names.length, `${what}: found an attribute of ${scheme} twice`)
        }
      }
    },
  },
  {
    id: "N-6750-5",
    clause: "RFC 6750 §3.1",
    promise: "no error without a token, invalid_token for a bad one, insufficient_scope for too little",
    async check(subject) {
      const errorOf = (what: string, answer: Answer) => attributeOf(bearerIn(what, answer), "error")
      const none = await subject.atGate()
      wantStatus("no token", none, 402)
      wantSame("no token", errorOf("no token", none), undefined)
      const bad = await subject.atGate(bearer(nobodys))
      wantStatus("a bad token", bad, 401)
      wantSame("a bad token", errorOf("a bad token", bad), "invalid_token")
      const little = await subject.atGate(bearer(await ofAnotherScope(subject)))
      wantStatus("too little scope", little, 402)
      wantSame("too little scope", errorOf("too little scope", little), "insufficient_scope")
      want(
        attributeOf(bearerIn("", little), "scope") !== undefined,
        "found no scope, wanted the one it takes",
      )
    },
  },
  {
    id: "N-6750-6",
    clause: "RFC 6750 §5.3",
    promise: "tokens live an hour at most, and are sent by TLS or on this machine only",
    async check(subject) {
      const { protocol, hostname } = new URL(subject.issuer)
      const isNear = /^(localhost|\[::1\]|127(\.\d+){3})$/.test(hostname)
      want(protocol === "https:" || isNear, `found ${protocol}, wanted https:`)
      const token = await subject.token()
      const { iat = 0, exp = Number.POSITIVE_INFINITY } = decodeJwt(token)
      want(exp - iat <= 3600, `found a life of ${exp - iat} s, wanted 3600 s at most`)
    },
  },
]

/** One whose scope does not open the route; bought once. */
async function ofAnotherScope(subject: Subject): Promise<string> {
  const opening = await subject.opening()
  const { token } = await subject.once("another scope", async () =>
    subject.buy(await subject.offerFor((scope, dpop) => !dpop && !opening.has(scope))),
  )
  return token
}

export const revocationBy = async (subject: Subject, token: string): Promise<Answer> =>
  send(await subject.endpoint("revocation_endpoint"), form({ token }))
