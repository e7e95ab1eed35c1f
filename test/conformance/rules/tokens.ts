/** The access token as a JWT: RFC 9068, and best practice for JWTs (RFC 8725). */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from "jose"
import { secretHeader } from "../../../shared/oauth/messages.ts"
import { createProofKey } from "../../support/proofs.ts"
import { contentOf, headerOf, resigned, signedByHmac, stranger } from "../forgery.ts"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"
import { want, wantSame, wantStatus } from "../want.ts"
import { form, send, withHeaders } from "../wire.ts"

async function wantRefused(subject: Subject, what: string, token: string): Promise<void> {
  const answer = await subject.atGate([["authorization", `Bearer ${token}`]])
  wantStatus(what, answer, 401)
  wantSame(what, answer.body.error, "invalid_token")
}

/** So that what follows is refused for what is wrong with it, and for nothing else. */
async function control(subject: Subject): Promise<{ claims: Record<string, unknown>; token: string }> {
  const token = await subject.token()
  const claims = decodeJwt(token)
  wantStatus("a good token", await subject.atGate([["authorization", `Bearer ${token}`]]), 200)
  const again = await subject.key().sign(claims)
  wantStatus("the same, signed anew", await subject.atGate([["authorization", `Bearer ${again}`]]), 200)
  return { claims, token }
}

async function published(subject: Subject): Promise<JSONWebKeySet> {
  const answer = await send(await subject.endpoint("jwks_uri"))
  wantStatus("the JWKS", answer, 200)
  return answer.body as unknown as JSONWebKeySet
}

const now = (): number => Math.floor(Date.now() / 1000)
const zeros = (bytes: number): string => Buffer.alloc(bytes).toString("base64url")

export const tokenRules: readonly Rule[] = [
  {
    id: "N-9068-1",
    clause: "RFC 9068 §2.1",
    promise: "a token is at+jwt, and signed by a published key",
    async check(subject) {
      const token = await subject.token()
      const header = headerOf(token)
      wantSame("typ", header.typ, "at+jwt")
      want(["ES256", "EdDSA", "RS256"].includes(String(header.alg)), `found the alg ${header.alg}`)
      const keys = await published(subject)
      want(
        keys.keys.every((key) => !("d" in key)),
        "the JWKS: found a private key",
      )
      await jwtVerify(token, createLocalJWKSet(keys)).catch(() =>
        want(false, "found no published key that signed it"),
      )
    },
  },
  {
    id: "N-9068-2",
    clause: "RFC 9068 §2.2",
    promise: "iss, exp, aud, sub, client_id, iat and jti are all there",
    async check(subject) {
      const claims = decodeJwt(await subject.token())
      for (const name of ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
        want(claims[name] !== undefined && claims[name] !== "", `found no ${name}`)
      wantSame("iss", claims.iss, subject.issuer)
    },
  },
  {
    id: "N-9068-3",
    clause: "RFC 9068 §2.2.3, §3",
    promise: "the scope granted is in the token, for exactly one resource",
    async check(subject) {
      const claims = decodeJwt(await subject.token())
      want(typeof claims.scope === "string" && claims.scope !== "", "found no scope")
      wantSame("aud", claims.aud, (await subject.board()).info.resource)
    },
  },
  {
    id: "N-9068-4",
    clause: "RFC 9068 §4",
    promise: "the gate refuses every other typ",
    async check(subject) {
      const { claims } = await control(subject)
      const key = subject.key()
      for (const typ of ["JWT", "jwt", "dpop+jwt", "ticket402-receipt+jwt", "at+jwt ", "", undefined])
        await wantRefused(subject, `typ ${typ}`, await key.sign(claims, { ...key.header, typ }))
    },
  },
  {
    id: "N-9068-5",
    clause: "RFC 9068 §4",
    promise: "the gate refuses another iss or aud, a token that is over, and one it did not sign",
    async check(subject) {
      const { claims, token } = await control(subject)
      const key = subject.key()
      const { iss = "", aud = "" } = claims as { iss?: string; aud?: string }
      const wrong: Record<string, Record<string, unknown>> = {
        "iss with a slash": { iss: `${iss}/` },
        "iss in capitals": { iss: iss.toUpperCase() },
        "no iss": { iss: undefined },
        "another aud": { aud: `${aud}/other` },
        "several aud": { aud: [aud, "https://elsewhere.example"] },
        "no exp": { exp: undefined },
        "from the future": { iat: now() + 3600, exp: now() + 3900 },
      }
      for (const [what, change] of Object.entries(wrong))
        await wantRefused(subject, what, await key.sign({ ...claims, ...change }))
      // An x402 client acts on 402 only, and buying is the remedy (wire.md §1).
      const over = await key.sign({ ...claims, iat: now() - 300, exp: now() - 61 })
      wantStatus("61 s over", await subject.atGate([["authorization", `Bearer ${over}`]]), 401, 402)
      const [head = "", payload = "", signature = ""] = token.split(".")
      const more = Buffer.from(JSON.stringify({ ...claims, scope: "everything" })).toString("base64url")
      await wantRefused(subject, "another content", `${head}.${more}.${signature}`)
      await wantRefused(subject, "no signature", `${head}.${payload}.`)
    },
  },
  {
    id: "N-8725-1",
    clause: "RFC 8725 §3.1",
    promise: "an algorithm other than the key's is refused",
    async check(subject) {
      const token = await subject.token()
      const [claims, header] = [decodeJwt(token), headerOf(token)]
      const publicKey = JSON.stringify((await published(subject)).keys[0])
      const forged: Record<string, string> = {
        none: `${contentOf({ ...header, alg: "none" }, claims)}.`,
        "none in capitals": `${contentOf({ ...header, alg: "NONE" }, claims)}.${token.split(".")[2]}`,
        "HS256 with the public key": signedByHmac({ ...header, alg: "HS256" }, claims, publicKey),
        RS256: stranger("RS256").sign({ ...header, alg: "RS256" }, claims),
        ES384: resigned(`${contentOf({ ...header, alg: "ES384" }, claims)}.a`, zeros(96)),
      }
      for (const [what, each] of Object.entries(forged)) await wantRefused(subject, what, each)
    },
  },
  {
    id: "N-8725-3",
    clause: "RFC 8725 §3.4",
    promise: "signatures of zero or of odd length, and points off the curve, are refused",
    async check(subject) {
      const token = await subject.token()
      const raw = Buffer.from(token.split(".")[2] ?? "", "base64url")
      const half = raw.length / 2
      const signatures: Record<string, Buffer> = {
        zero: Buffer.alloc(raw.length),
        "r zero": Buffer.concat([Buffer.alloc(half), raw.subarray(half)]),
        "s zero": Buffer.concat([raw.subarray(0, half), Buffer.alloc(half)]),
        "a byte short": raw.subarray(0, -1),
        "a byte long": Buffer.concat([raw, Buffer.alloc(1)]),
        "all ones": Buffer.alloc(raw.length, 0xff),
      }
      for (const [what, each] of Object.entries(signatures))
        await wantRefused(subject, what, resigned(token, each.toString("base64url")))
      const point = { kty: "EC", crv: "P-256", x: zeros(32), y: zeros(32) }
      const terms = {
        htm: "POST",
        htu: await subject.endpoint("token_endpoint"),
        iat: now(),
        jti: "off the curve",
      }
      const proof = resigned(
        `${contentOf({ typ: "dpop+jwt", alg: "ES256", jwk: point }, terms)}.a`,
        zeros(64),
      )
      const asked = form({ grant_type: "refresh_token", refresh_token: "a" })
      const answer = await subject.atToken({ ...asked, headers: [...asked.headers, ["dpop", proof]] })
      wantSame("a point off the curve", [answer.status, answer.body.error], [400, "invalid_dpop_proof"])
    },
  },
  {
    id: "N-8725-4",
    clause: "RFC 8725 §3.8, §3.9",
    promise: "a token of somebody else with this issuer's name and key id is refused",
    async check(subject) {
      const token = await subject.token()
      const [claims, header] = [decodeJwt(token), headerOf(token)]
      const other = stranger()
      await wantRefused(subject, "this name and key id", other.sign({ ...header, alg: "ES256" }, claims))
      await wantRefused(subject, "without a key id", other.sign({ alg: "ES256", typ: "at+jwt" }, claims))
    },
  },
  {
    id: "N-8725-5",
    clause: "RFC 8725 §3.10",
    promise: "kid is a name and nothing else; jku, x5u, jwk and x5c fetch nothing and change no key",
    async check(subject) {
      const { claims } = await control(subject)
      const key = subject.key()
      const [other, trap] = [stranger(), await openTrap()]
      try {
        const places = { jku: trap.url, x5u: trap.url, jwk: other.jwk, x5c: ["MA=="] }
        for (const [name, value] of Object.entries(places)) {
          await wantRefused(subject, name, other.sign({ alg: "ES256", typ: "at+jwt", [name]: value }, claims))
          await wantRefused(
            subject,
            `${name} beside the kid`,
            other.sign({ ...key.header, [name]: value }, claims),
          )
        }
        for (const kid of ["../../../etc/passwd", "' OR 1=1 --", trap.url, key.header.kid.slice(0, -1), ""])
          await wantRefused(
            subject,
            `kid ${kid.slice(0, 12)}`,
            await key.sign(claims, { ...key.header, kid }),
          )
        want(trap.visits() === 0, `found ${trap.visits()} requests to an address of the token, wanted none`)
      } finally {
        trap.close()
      }
    },
  },
  {
    id: "N-8725-6",
    clause: "RFC 8725 §3.11, §3.12",
    promise: "no kind of token passes for another",
    async check(subject) {
      const { token, refreshToken, purchase } = await subject.purchased()
      const refreshing = (refresh_token: string) => form({ grant_type: "refresh_token", refresh_token })
      const proving = withHeaders(refreshing("a"), [["dpop", token]])
      const asProof = await subject.atToken(proving)
      wantSame("a token as a proof", [asProof.status, asProof.body.error], [400, "invalid_dpop_proof"])
      const router = await subject.endpoint("token_endpoint")
      const { entries } = await subject.board()
      const nonces = await send(`${router}/nonce`, { method: "POST" })
      const receipt = await send(`${router}/receipt`, { headers: [[secretHeader, purchase?.secret ?? ""]] })
      const { nonce } = await subject.withNonce(
        await createProofKey(),
        { method: "POST", url: router },
        (proof) => subject.atToken(withHeaders(refreshing("a"), [["dpop", proof]])),
      )
      const list = (await subject.metadata()).revocations_uri
      const others: Record<string, unknown> = {
        "a quote": entries.find(({ extra }) => extra?.quote)?.extra?.quote,
        "a nonce for a statement": nonces.body.nonce,
        "a nonce for a proof": nonce,
        "a receipt": receipt.body.receipt,
        "the list of revocations": typeof list === "string" ? (await send(list)).text : undefined,
      }
      for (const [what, text] of Object.entries({ ...others, "a token": token })) {
        if (typeof text !== "string" || text === "") continue
        const { status, body } = await subject.atToken(refreshing(text))
        wantSame(`${what} as a refresh token`, [status, body.error], [400, "invalid_grant"])
      }
      for (const [what, text] of Object.entries({ ...others, "a refresh token": refreshToken }))
        if (typeof text === "string" && text !== "") await wantRefused(subject, what, text)
    },
  },
  {
    id: "N-8725-7",
    clause: "RFC 8725 §3.7",
    promise: "JSON that is not UTF-8, or has a member twice, is refused",
    async check(subject) {
      const { claims } = await control(subject)
      const key = subject.key()
      const text = JSON.stringify(claims)
      const header = JSON.stringify(key.header)
      const twice = (json: string, member: string) => `${json.slice(0, -1)},${member}}`
      const latin = Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from(',"note":"\xe9"}', "latin1")])
      await wantRefused(
        subject,
        "a claim twice",
        await key.sign(twice(text, `"scope":${JSON.stringify(claims.scope)}`)),
      )
      await wantRefused(subject, "alg twice", await key.sign(text, twice(header, '"alg":"none"')))
      await wantRefused(subject, "Latin-1", await key.sign(latin))
      await wantRefused(subject, "UTF-16", await key.sign(Buffer.from(text, "utf16le")))
      await wantRefused(subject, "a mark of byte order", await key.sign(`\ufeff${text}`))
    },
  },
]

/** An address that nobody should be led to. */
async function openTrap() {
  let visits = 0
  const server = createServer((_request, response) => {
    visits += 1
    response.end("{}")
  }).listen(0, "127.0.0.1")
  await new Promise((resolve) => server.once("listening", resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/keys`, visits: () => visits, close: () => void server.close() }
}
