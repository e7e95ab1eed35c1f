/** Rules of RFC 9068 and RFC 8725: the access token as a JWT. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from "jose"
import { secretHeader } from "../../../shared/oauth/messages.ts"
import { createProofKey } from "../../support/proofs.ts"
import { contentOf, createForeignKey, headerOf, signedByHmac, withSignature } from "../forgery.ts"
import { form, send, withHeaders } from "../http.ts"
import { requireEqual, requireStatus, requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"

async function requireRefused(subject: Subject, what: string, token: string): Promise<void> {
  const answer = await subject.atGate([["authorization", `Bearer ${token}`]])
  requireStatus(what, answer, 401)
  requireEqual(what, answer.body.error, "invalid_token")
}

/** Proves that the unchanged token is accepted, so that a changed one is refused for its one error. */
async function provenToken(subject: Subject): Promise<{ claims: Record<string, unknown>; token: string }> {
  const token = await subject.token()
  const claims = decodeJwt(token)
  requireStatus("a good token", await subject.atGate([["authorization", `Bearer ${token}`]]), 200)
  const again = await subject.key().sign(claims)
  requireStatus("the same, signed again", await subject.atGate([["authorization", `Bearer ${again}`]]), 200)
  return { claims, token }
}

async function readJwks(subject: Subject): Promise<JSONWebKeySet> {
  const answer = await send(await subject.endpoint("jwks_uri"))
  requireStatus("the JWKS", answer, 200)
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
      requireEqual("typ", header.typ, "at+jwt")
      requireThat(["ES256", "EdDSA", "RS256"].includes(String(header.alg)), `found the alg ${header.alg}`)
      const keys = await readJwks(subject)
      requireThat(
        keys.keys.every((key) => !("d" in key)),
        "the JWKS: found a private key",
      )
      await jwtVerify(token, createLocalJWKSet(keys)).catch(() =>
        requireThat(false, "found no published key that signed it"),
      )
    },
  },
  {
    id: "N-9068-2",
    clause: "RFC 9068 §2.2",
    promise: "iss, exp, aud, sub, client_id, iat and jti are present",
    async check(subject) {
      const claims = decodeJwt(await subject.token())
      for (const name of ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
        requireThat(claims[name] !== undefined && claims[name] !== "", `found no ${name}`)
      requireEqual("iss", claims.iss, subject.issuer)
    },
  },
  {
    id: "N-9068-3",
    clause: "RFC 9068 §2.2.3, §3",
    promise: "the granted scope is in the token, for exactly one resource",
    async check(subject) {
      const claims = decodeJwt(await subject.token())
      requireThat(typeof claims.scope === "string" && claims.scope !== "", "found no scope")
      requireEqual("aud", claims.aud, (await subject.readOffers()).info.resource)
    },
  },
  {
    id: "N-9068-4",
    clause: "RFC 9068 §4",
    promise: "the gate refuses every other typ",
    async check(subject) {
      const { claims } = await provenToken(subject)
      const key = subject.key()
      for (const typ of ["JWT", "jwt", "dpop+jwt", "ticket402-receipt+jwt", "at+jwt ", "", undefined])
        await requireRefused(subject, `typ ${typ}`, await key.sign(claims, { ...key.header, typ }))
    },
  },
  {
    id: "N-9068-5",
    clause: "RFC 9068 §4",
    promise: "the gate refuses another iss or aud, an expired token, and a foreign signature",
    async check(subject) {
      const { claims, token } = await provenToken(subject)
      const key = subject.key()
      const { iss = "", aud = "" } = claims as { iss?: string; aud?: string }
      const wrong: Record<string, Record<string, unknown>> = {
        "iss with a slash": { iss: `${iss}/` },
        "iss in capitals": { iss: iss.toUpperCase() },
        "no iss": { iss: undefined },
        "another aud": { aud: `${aud}/other` },
        "several aud": { aud: [aud, "https://elsewhere.example"] },
        "no exp": { exp: undefined },
      }
      for (const [what, change] of Object.entries(wrong))
        await requireRefused(subject, what, await key.sign({ ...claims, ...change }))
      // One of two clocks is wrong: a retry is a fair answer, and a 402 would make the buyer pay again.
      const ahead = await key.sign({ ...claims, iat: now() + 3600, exp: now() + 3900 })
      requireStatus(
        "issued an hour ahead",
        await subject.atGate([["authorization", `Bearer ${ahead}`]]),
        401,
        503,
      )
      // An x402 client reacts to 402 only, and a new purchase is the remedy (wire.md §1).
      const expired = await key.sign({ ...claims, iat: now() - 300, exp: now() - 61 })
      requireStatus(
        "expired 61 s ago",
        await subject.atGate([["authorization", `Bearer ${expired}`]]),
        401,
        402,
      )
      const [head = "", payload = "", signature = ""] = token.split(".")
      const more = Buffer.from(JSON.stringify({ ...claims, scope: "everything" })).toString("base64url")
      await requireRefused(subject, "another content", `${head}.${more}.${signature}`)
      await requireRefused(subject, "no signature", `${head}.${payload}.`)
    },
  },
  {
    id: "N-8725-1",
    clause: "RFC 8725 §3.1",
    promise: "an algorithm other than the key's is refused",
    async check(subject) {
      const token = await subject.token()
      const [claims, header] = [decodeJwt(token), headerOf(token)]
      const publicKey = JSON.stringify((await readJwks(subject)).keys[0])
      const forged: Record<string, string> = {
        none: `${contentOf({ ...header, alg: "none" }, claims)}.`,
        "none in capitals": `${contentOf({ ...header, alg: "NONE" }, claims)}.${token.split(".")[2]}`,
        "HS256 with the public key": signedByHmac({ ...header, alg: "HS256" }, claims, publicKey),
        RS256: createForeignKey("RS256").sign({ ...header, alg: "RS256" }, claims),
        ES384: withSignature(`${contentOf({ ...header, alg: "ES384" }, claims)}.a`, zeros(96)),
      }
      for (const [what, each] of Object.entries(forged)) await requireRefused(subject, what, each)
    },
  },
  {
    id: "N-8725-3",
    clause: "RFC 8725 §3.4",
    promise: "signatures of zero or of wrong length, and points off the curve, are refused",
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
        await requireRefused(subject, what, withSignature(token, each.toString("base64url")))
      const point = { kty: "EC", crv: "P-256", x: zeros(32), y: zeros(32) }
      const terms = {
        htm: "POST",
        htu: await subject.endpoint("token_endpoint"),
        iat: now(),
        jti: "off the curve",
      }
      const proof = withSignature(
        `${contentOf({ typ: "dpop+jwt", alg: "ES256", jwk: point }, terms)}.a`,
        zeros(64),
      )
      const asked = form({ grant_type: "refresh_token", refresh_token: "a" })
      const answer = await subject.atToken({ ...asked, headers: [...asked.headers, ["dpop", proof]] })
      requireEqual("a point off the curve", [answer.status, answer.body.error], [400, "invalid_dpop_proof"])
    },
  },
  {
    id: "N-8725-4",
    clause: "RFC 8725 §3.8, §3.9",
    promise: "a token of a foreign key with this issuer's name and key id is refused",
    async check(subject) {
      const token = await subject.token()
      const [claims, header] = [decodeJwt(token), headerOf(token)]
      const other = createForeignKey()
      await requireRefused(subject, "this name and key id", other.sign({ ...header, alg: "ES256" }, claims))
      await requireRefused(subject, "without a key id", other.sign({ alg: "ES256", typ: "at+jwt" }, claims))
    },
  },
  {
    id: "N-8725-5",
    clause: "RFC 8725 §3.10",
    promise: "kid is only a name; jku, x5u, jwk and x5c fetch nothing and change no key",
    async check(subject) {
      const { claims } = await provenToken(subject)
      const key = subject.key()
      const [other, trap] = [createForeignKey(), await openTrap()]
      try {
        const headerMembers = { jku: trap.url, x5u: trap.url, jwk: other.jwk, x5c: ["MA=="] }
        for (const [name, value] of Object.entries(headerMembers)) {
          await requireRefused(
            subject,
            name,
            other.sign({ alg: "ES256", typ: "at+jwt", [name]: value }, claims),
          )
          await requireRefused(
            subject,
            `${name} beside the kid`,
            other.sign({ ...key.header, [name]: value }, claims),
          )
        }
        for (const kid of ["../../../etc/passwd", "' OR 1=1 --", trap.url, key.header.kid.slice(0, -1), ""])
          await requireRefused(
            subject,
            `kid ${kid.slice(0, 12)}`,
            await key.sign(claims, { ...key.header, kid }),
          )
        requireThat(
          trap.visits() === 0,
          `found ${trap.visits()} requests to an address in the token, wanted none`,
        )
      } finally {
        trap.close()
      }
    },
  },
  {
    id: "N-8725-6",
    clause: "RFC 8725 §3.11, §3.12",
    promise: "no kind of token is accepted as another",
    async check(subject) {
      const { token, refreshToken, purchase } = await subject.purchased()
      const refreshing = (refresh_token: string) => form({ grant_type: "refresh_token", refresh_token })
      const proving = withHeaders(refreshing("a"), [["dpop", token]])
      const asProof = await subject.atToken(proving)
      requireEqual("a token as a proof", [asProof.status, asProof.body.error], [400, "invalid_dpop_proof"])
      const router = await subject.endpoint("token_endpoint")
      const { entries } = await subject.readOffers()
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
        requireEqual(`${what} as a refresh token`, [status, body.error], [400, "invalid_grant"])
      }
      for (const [what, text] of Object.entries({ ...others, "a refresh token": refreshToken }))
        if (typeof text === "string" && text !== "") await requireRefused(subject, what, text)
    },
  },
  {
    id: "N-8725-7",
    clause: "RFC 8725 §3.7",
    promise: "JSON that is not UTF-8, or repeats a member, is refused",
    async check(subject) {
      const { claims } = await provenToken(subject)
      const key = subject.key()
      const text = JSON.stringify(claims)
      const header = JSON.stringify(key.header)
      const twice = (json: string, member: string) => `${json.slice(0, -1)},${member}}`
      const latin = Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from(',"note":"\xe9"}', "latin1")])
      await requireRefused(
        subject,
        "a claim twice",
        await key.sign(twice(text, `"scope":${JSON.stringify(claims.scope)}`)),
      )
      await requireRefused(subject, "alg twice", await key.sign(text, twice(header, '"alg":"none"')))
      await requireRefused(subject, "Latin-1", await key.sign(latin))
      await requireRefused(subject, "UTF-16", await key.sign(Buffer.from(text, "utf16le")))
      await requireRefused(subject, "a byte order mark", await key.sign(`\ufeff${text}`))
    },
  },
]

/** An address to which no request may go. */
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
