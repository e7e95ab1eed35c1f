/** Rules of OAuth best practice (RFC 9700) and of HTTP (RFC 9110 to 9112). */
import { decodeJwt } from "jose"
import { type Answer, type Fields, send, sendBytes } from "../http.ts"
import { requireEqual, requireStatus, requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"
import { unknownToken } from "./bearer.ts"

const shown = (token: string): Fields => [["authorization", `Bearer ${token}`]]

/** Headers that a proxy might trust, and that any caller can write. */
const forgedHeaders: Fields = [
  ["x-forwarded-host", "evil.example"],
  ["x-forwarded-proto", "gopher"],
  ["x-forwarded-for", "127.0.0.1"],
  ["x-forwarded-prefix", "/evil"],
  ["forwarded", "for=127.0.0.1;host=evil.example;proto=gopher"],
  ["x-original-url", "/free"],
  ["x-rewrite-url", "/free"],
  ["x-http-method-override", "OPTIONS"],
  ["x-client-cert", "evil"],
  ["x-ssl-client-verify", "SUCCESS"],
  ["x-internal-auth", "1"],
  ["ticket402-subject", "evil"],
  ["ticket402-grant", "evil"],
  ["ticket402-paid", "false"],
]

const visibleParts = ({ status, text, header }: Answer) => [status, text, header("www-authenticate")]

const isCacheable = (answer: Answer): boolean => {
  const cache = answer.header("cache-control")
  const isPrivate = /\bprivate\b/.test(cache) && /\bauthorization\b/i.test(answer.header("vary"))
  return !/\bno-store\b/.test(cache) && !isPrivate
}

export const securityPracticeRules: readonly Rule[] = [
  {
    id: "N-9700-1",
    clause: "RFC 9700 §2.2.1",
    promise: "the service issues tokens that are bound to a key of their holder",
    async check(subject) {
      const { dpop_signing_alg_values_supported: supported } = await subject.metadata()
      requireThat(
        Array.isArray(supported) && supported.length > 0,
        "found no dpop_signing_alg_values_supported",
      )
      const { key, token, answer } = await subject.bound()
      requireEqual("token_type", answer.body.token_type, "DPoP")
      requireEqual("cnf", decodeJwt(token).cnf, { jkt: key.thumbprint })
    },
  },
  {
    id: "N-9700-2",
    clause: "RFC 9700 §2.3",
    promise: "a token has the scope that was bought, and one audience",
    async check(subject) {
      const { token, purchase } = await subject.purchased()
      const claims = decodeJwt(token)
      const { info } = await subject.readOffers()
      const accepted = purchase?.payload.accepted as { extra?: { offer?: string } } | undefined
      requireEqual("scope", claims.scope, info.offers[accepted?.extra?.offer ?? ""]?.scope)
      requireEqual("aud", claims.aud, info.resource)
    },
  },
  {
    id: "N-9700-3",
    clause: "RFC 9700 §4.9, §4.10",
    promise: "no answer of a route or an error page contains the token of the request",
    async check(subject) {
      const token = await subject.token()
      const origin = new URL(subject.issuer).origin
      const answers = [
        await subject.atGate(shown(token)),
        await subject.atGate(shown(`${token}a`)),
        await subject.atGate([...shown(token), ["x-broken", "a".repeat(20_000)]]),
        await send(`${origin}/nowhere/%c0`, { headers: shown(token) }),
        await subject.atToken({ method: "POST", headers: shown(token), body: "{" }),
      ]
      for (const answer of answers)
        requireThat(
          !answer.whole.includes(token.slice(-40)),
          `a ${answer.status}: found the token in the answer`,
        )
    },
  },
  {
    id: "N-9700-4",
    clause: "RFC 9700 §4.12",
    promise: "no request with a payment or a token is redirected",
    async check(subject) {
      const { origin, pathname } = new URL(await subject.endpoint("token_endpoint"))
      const route = subject.access.route === undefined ? [] : [new URL(subject.route()).pathname]
      const spellings = [pathname, ...route].flatMap((path) => [
        path,
        `${path}/`,
        `/${path}`,
        path.toUpperCase(),
      ])
      const headers = [...shown(unknownToken), ["payment-signature", "e30="] as const]
      for (const path of spellings)
        for (const method of ["GET", "POST"]) {
          const { status } = await send(`${origin}${path}`, { method, headers })
          requireThat(status < 300 || status >= 400, `${method} ${path}: found ${status}, wanted no redirect`)
        }
    },
  },
  {
    id: "N-9700-5",
    clause: "RFC 9700 §4.13",
    promise: "proxy headers of a caller change no answer and appear in none",
    async check(subject) {
      const requests: Record<string, (headers: Fields) => Promise<Answer>> = {
        "the metadata": async (headers) =>
          send(`${new URL(subject.issuer).origin}/.well-known/oauth-protected-resource${pathOf(subject)}`, {
            headers,
          }),
        "the token endpoint": (headers) => subject.atToken({ method: "POST", headers }),
        ...(subject.access.route !== undefined && {
          "the gate": (headers: Fields) => subject.atGate(headers),
          "the gate, with an unknown token": (headers: Fields) =>
            subject.atGate([...shown(unknownToken), ...headers]),
        }),
      }
      for (const [what, ask] of Object.entries(requests)) {
        const [plain, withForged] = [await ask([]), await ask(forgedHeaders)]
        requireEqual(what, visibleParts(withForged), visibleParts(plain))
        requireThat(!withForged.whole.includes("evil"), `${what}: found a header of the caller in the answer`)
      }
    },
  },
  {
    id: "N-9110-1",
    clause: "RFC 9110 §9.3.2, §15.6.2",
    promise: "HEAD gets the verdict of GET; an unknown method reaches no handler",
    async check(subject) {
      for (const headers of [[], shown(unknownToken), shown(await subject.token())]) {
        const [get, head] = [await subject.atGate(headers), await subject.atGate(headers, { method: "HEAD" })]
        requireEqual("HEAD", head.status, get.status)
        requireEqual("HEAD: challenge", head.header("www-authenticate"), get.header("www-authenticate"))
        requireEqual("HEAD: body", head.text, "")
      }
      for (const method of ["PROPFIND", "SEARCH", "TRACE"]) {
        const { status } = await subject.atGate([], { method })
        requireThat(
          [400, 402, 404, 405, 501].includes(status),
          `${method}: found ${status}, wanted a refusal`,
        )
      }
      requireStatus("PROPFIND at the token endpoint", await subject.atToken({ method: "PROPFIND" }), 405, 501)
    },
  },
  {
    id: "N-9111-1",
    clause: "RFC 9111 §3, §5.2",
    promise: "no cache may store a 402, a 401 or paid content",
    async check(subject) {
      const answers = [
        await subject.atGate(),
        await subject.atGate(shown(unknownToken)),
        await subject.atGate(shown(await subject.token())),
        await subject.atToken({ method: "POST" }),
      ]
      requireEqual(
        "the statuses",
        answers.map(({ status }) => status),
        [402, 401, 200, 402],
      )
      for (const answer of answers)
        requireThat(!isCacheable(answer), `a ${answer.status}: found no no-store, wanted it`)
    },
  },
  {
    id: "N-9112-1",
    clause: "RFC 9112 §6.3",
    promise: "a body with two lengths gets 400, and the connection is closed",
    async check(subject) {
      const { host, pathname } = new URL(await subject.endpoint("token_endpoint"))
      const type = "Content-Type: application/x-www-form-urlencoded"
      const head = `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\n${type}\r\n`
      const lengths: Record<string, string> = {
        "length and chunks": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "two lengths": "Content-Length: 3\r\nContent-Length: 5\r\n\r\na=b&c",
      }
      for (const [what, rest] of Object.entries(lengths)) {
        const answer = await sendBytes(subject.issuer, `${head}${rest}`)
        const statuses = [...answer.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status))
        requireEqual(what, statuses, [400])
      }
    },
  },
]

const pathOf = ({ issuer }: Subject): string => new URL(issuer).pathname.replace(/\/$/, "")
