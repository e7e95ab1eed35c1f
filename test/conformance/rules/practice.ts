/** Best practice for OAuth (RFC 9700), and HTTP itself (RFC 9110 to 9112). */
import { decodeJwt } from "jose"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"
import { want, wantSame, wantStatus } from "../want.ts"
import { type Answer, type Fields, send, sendBytes } from "../wire.ts"
import { nobodys } from "./bearer.ts"

const shown = (token: string): Fields => [["authorization", `Bearer ${token}`]]

/** What a proxy might believe, and a stranger can write. */
const pretended: Fields = [
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

const seen = ({ status, text, header }: Answer) => [status, text, header("www-authenticate")]

const isKept = (answer: Answer): boolean => {
  const cache = answer.header("cache-control")
  const isPrivate = /\bprivate\b/.test(cache) && /\bauthorization\b/i.test(answer.header("vary"))
  return !/\bno-store\b/.test(cache) && !isPrivate
}

export const practiceRules: readonly Rule[] = [
  {
    id: "N-9700-1",
    clause: "RFC 9700 §2.2.1",
    promise: "tokens bound to a key of their holder are to be had",
    async check(subject) {
      const { dpop_signing_alg_values_supported: supported } = await subject.metadata()
      want(Array.isArray(supported) && supported.length > 0, "found no dpop_signing_alg_values_supported")
      const { key, token, answer } = await subject.bound()
      wantSame("token_type", answer.body.token_type, "DPoP")
      wantSame("cnf", decodeJwt(token).cnf, { jkt: key.thumbprint })
    },
  },
  {
    id: "N-9700-2",
    clause: "RFC 9700 §2.3",
    promise: "a token has the scope that was bought and no more, and one audience",
    async check(subject) {
      const { token, purchase } = await subject.purchased()
      const claims = decodeJwt(token)
      const { info } = await subject.board()
      const accepted = purchase?.payload.accepted as { extra?: { offer?: string } } | undefined
      wantSame("scope", claims.scope, info.offers[accepted?.extra?.offer ?? ""]?.scope)
      wantSame("aud", claims.aud, info.resource)
    },
  },
  {
    id: "N-9700-3",
    clause: "RFC 9700 §4.9, §4.10",
    promise: "no answer of a route or an error page holds the token that was sent",
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
        want(!answer.whole.includes(token.slice(-40)), `a ${answer.status}: found the token in the answer`)
    },
  },
  {
    id: "N-9700-4",
    clause: "RFC 9700 §4.12",
    promise: "nothing that carries a payment or a token is redirected",
    async check(subject) {
      const { origin, pathname } = new URL(await subject.endpoint("token_endpoint"))
      const route = subject.means.route === undefined ? [] : [new URL(subject.route()).pathname]
      const spellings = [pathname, ...route].flatMap((path) => [
        path,
        `${path}/`,
        `/${path}`,
        path.toUpperCase(),
      ])
      const headers = [...shown(nobodys), ["payment-signature", "e30="] as const]
      for (const path of spellings)
        for (const method of ["GET", "POST"]) {
          const { status } = await send(`${origin}${path}`, { method, headers })
          want(status < 300 || status >= 400, `${method} ${path}: found ${status}, wanted no redirect`)
        }
    },
  },
  {
    id: "N-9700-5",
    clause: "RFC 9700 §4.13",
    promise: "what a stranger writes into headers of proxies changes nothing and comes back nowhere",
    async check(subject) {
      const asks: Record<string, (headers: Fields) => Promise<Answer>> = {
        "the metadata": async (headers) =>
          send(`${new URL(subject.issuer).origin}/.well-known/oauth-protected-resource${pathOf(subject)}`, {
            headers,
          }),
        "the ticket office": (headers) => subject.atToken({ method: "POST", headers }),
        ...(subject.means.route !== undefined && {
          "the gate": (headers: Fields) => subject.atGate(headers),
          "the gate, with nobody's token": (headers: Fields) =>
            subject.atGate([...shown(nobodys), ...headers]),
        }),
      }
      for (const [what, ask] of Object.entries(asks)) {
        const [plain, dressed] = [await ask([]), await ask(pretended)]
        wantSame(what, seen(dressed), seen(plain))
        want(!dressed.whole.includes("evil"), `${what}: found a stranger's words in the answer`)
      }
    },
  },
  {
    id: "N-9110-1",
    clause: "RFC 9110 §9.3.2, §15.6.2",
    promise: "HEAD gets the verdict of GET; a method nobody knows reaches no handler",
    async check(subject) {
      for (const headers of [[], shown(nobodys), shown(await subject.token())]) {
        const [get, head] = [await subject.atGate(headers), await subject.atGate(headers, { method: "HEAD" })]
        wantSame("HEAD", head.status, get.status)
        wantSame("HEAD: challenge", head.header("www-authenticate"), get.header("www-authenticate"))
        wantSame("HEAD: body", head.text, "")
      }
      for (const method of ["PROPFIND", "SEARCH", "TRACE"]) {
        const { status } = await subject.atGate([], { method })
        want([400, 402, 404, 405, 501].includes(status), `${method}: found ${status}, wanted a refusal`)
      }
      wantStatus("PROPFIND at the ticket office", await subject.atToken({ method: "PROPFIND" }), 405, 501)
    },
  },
  {
    id: "N-9111-1",
    clause: "RFC 9111 §3, §5.2",
    promise: "no cache keeps a 402, a 401 or what was paid for",
    async check(subject) {
      const answers = [
        await subject.atGate(),
        await subject.atGate(shown(nobodys)),
        await subject.atGate(shown(await subject.token())),
        await subject.atToken({ method: "POST" }),
      ]
      wantSame(
        "the statuses",
        answers.map(({ status }) => status),
        [402, 401, 200, 402],
      )
      for (const answer of answers) want(!isKept(answer), `a ${answer.status}: found no no-store, wanted it`)
    },
  },
  {
    id: "N-9112-1",
    clause: "RFC 9112 §6.3",
    promise: "a body of two lengths is 400, and the connection is closed",
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
        wantSame(what, statuses, [400])
      }
    },
  },
]

const pathOf = ({ issuer }: Subject): string => new URL(issuer).pathname.replace(/\/$/, "")
