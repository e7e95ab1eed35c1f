/** Proofs of possession: RFC 9449. */
import { exportJWK } from "jose"
import { createProofKey, type ProofKey, type ProofTerms, proofOf } from "../../support/proofs.ts"
import { challengesIn } from "../challenge.ts"
import { contentOf, signedByHmac } from "../forgery.ts"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"
import { Unseen, want, wantSame, wantStatus } from "../want.ts"
import { type Answer, type Fields, form, withHeaders } from "../wire.ts"

const refreshing = form({ grant_type: "refresh_token", refresh_token: "of.nobody" })
const now = (): number => Math.floor(Date.now() / 1000)

/** The ticket office looks at the proof before it looks at the grant, so nothing is needed to ask. */
const asked = (subject: Subject, ...proofs: string[]): Promise<Answer> =>
  subject.atToken(
    withHeaders(
      refreshing,
      proofs.map((proof) => ["dpop", proof] as const),
    ),
  )

/** A key, the terms of a good proof for the ticket office with a nonce that is good, and the certainty that they are. */
async function prepared(subject: Subject): Promise<{ key: ProofKey; terms: Omit<ProofTerms, "at"> }> {
  const { dpop_signing_alg_values_supported: supported } = await subject.metadata()
  if (!Array.isArray(supported)) throw new Unseen("the service takes no proofs")
  const key = await createProofKey()
  const terms = { method: "POST", url: await subject.endpoint("token_endpoint") }
  const { answer, nonce } = await subject.withNonce(key, terms, (proof) => asked(subject, proof))
  wantSame("with a good proof", [answer.status, answer.body.error], [400, "invalid_grant"])
  return { key, terms: { ...terms, nonce } }
}

const wantNoProof = (what: string, { status, body }: Answer): void =>
  wantSame(what, [status, body.error], [400, "invalid_dpop_proof"])

const shown = (token: string, proof?: string, scheme = "DPoP"): Fields => [
  ["authorization", `${scheme} ${token}`],
  ...(proof === undefined ? [] : [["dpop", proof] as const]),
]

/** A bound token that is good with a good proof, and a nonce for the next one. */
async function bound(subject: Subject) {
  const { key, token } = await subject.bound()
  const terms = { url: subject.route(), token }
  const { answer, nonce } = await subject.withNonce(key, terms, (proof) =>
    subject.atGate(shown(token, proof)),
  )
  wantStatus("with a good proof", answer, 200)
  return { key, token, terms: { ...terms, nonce } }
}

export const dpopRules: readonly Rule[] = [
  {
    id: "N-9449-1",
    clause: "RFC 9449 §4.3",
    promise: "exactly one proof, of its type, by a public asymmetric key, and signed by it",
    async check(subject) {
      const { key, terms } = await prepared(subject)
      const prove = (header: Record<string, unknown>) => proofOf(key, { ...terms, at: now(), header })
      const one = () => proofOf(key, { ...terms, at: now() })
      const two = await asked(subject, await one(), await one())
      wantStatus("two headers", two, 400)
      wantNoProof("a list", await asked(subject, `${await one()}, ${await one()}`))
      wantNoProof("no proof at all", await asked(subject, "a.b.c"))
      for (const typ of ["jwt", "at+jwt", "DPoP+JWT ", undefined])
        wantNoProof(`typ ${typ}`, await asked(subject, await prove({ typ })))
      const whole = await exportJWK(key.privateKey)
      wantNoProof("a private key", await asked(subject, await prove({ jwk: whole })))
      const other = await createProofKey()
      wantNoProof("another key", await asked(subject, await prove({ jwk: other.jwk })))
      const claims = { htm: "POST", htu: terms.url, iat: now(), jti: "unsigned", nonce: terms.nonce }
      const head = { typ: "dpop+jwt", jwk: key.jwk }
      wantNoProof("alg none", await asked(subject, `${contentOf({ ...head, alg: "none" }, claims)}.`))
      const secret = { kty: "oct", k: "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" }
      const hmac = signedByHmac(
        { typ: "dpop+jwt", alg: "HS256", jwk: secret },
        claims,
        "secretsecretsecretsecret",
      )
      wantNoProof("alg HS256", await asked(subject, hmac))
    },
  },
  {
    id: "N-9449-2",
    clause: "RFC 9449 §4.3",
    promise: "the proof is for this method, this address and this minute",
    async check(subject) {
      const { key, terms } = await prepared(subject)
      const { origin, pathname } = new URL(terms.url)
      const wrong: Record<string, Partial<ProofTerms>> = {
        "another method": { method: "GET" },
        "a method in lower case": { method: "post" },
        "another path": { url: `${terms.url}/other` },
        "another host": { url: `https://elsewhere.example${pathname}` },
        "no address": { url: pathname },
        "61 s old": { at: now() - 62 },
        "61 s ahead": { at: now() + 63 },
      }
      for (const [what, change] of Object.entries(wrong))
        wantNoProof(what, await asked(subject, await proofOf(key, { ...terms, at: now(), ...change })))
      for (const [what, url] of [
        ["a query", `${terms.url}?a=b#c`],
        ["capitals in the host", `${origin.toUpperCase()}${pathname}`],
      ] as const) {
        const { body } = await asked(subject, await proofOf(key, { ...terms, url, at: now() }))
        wantSame(`${what} changes nothing`, body.error, "invalid_grant")
      }
    },
  },
  {
    id: "N-9449-3",
    clause: "RFC 9449 §4.3, §6.1, §7",
    promise: "at the gate the proof is by the token's own key, and for that token",
    async check(subject) {
      const { key, token, terms } = await bound(subject)
      const wrong: Record<string, string> = {
        "no ath": await proofOf(key, { ...terms, token: undefined, at: now() }),
        "the ath of another token": await proofOf(key, { ...terms, token: `${token}a`, at: now() }),
        "by another key": await proofOf(await createProofKey(), { ...terms, at: now() }),
      }
      for (const [what, proof] of Object.entries(wrong)) {
        const answer = await subject.atGate(shown(token, proof))
        wantStatus(what, answer, 401)
        wantSame(what, answer.body.error, "invalid_dpop_proof")
      }
    },
  },
  {
    id: "N-9449-4",
    clause: "RFC 9449 §7.2",
    promise: "a bound token is refused as Bearer, and one that is not bound as DPoP",
    async check(subject) {
      const { key, token, terms } = await bound(subject)
      wantStatus("as Bearer", await subject.atGate(shown(token, undefined, "Bearer")), 401)
      const proof = await proofOf(key, { ...terms, at: now() })
      wantStatus("as Bearer with a proof", await subject.atGate(shown(token, proof, "Bearer")), 401)
      const free = await subject.token()
      const idle = await proofOf(key, { ...terms, token: free, at: now() })
      wantStatus("a free token as DPoP", await subject.atGate(shown(free, idle)), 401)
    },
  },
  {
    id: "N-9449-5",
    clause: "RFC 9449 §8, §9",
    promise: "a proof with no nonce, or with one not of this service, is told a fresh one",
    async check(subject) {
      const { key, terms } = await prepared(subject)
      if (terms.nonce === undefined) throw new Unseen("the service asks for no nonces")
      for (const nonce of [undefined, "of-somebody-else"]) {
        const answer = await asked(subject, await proofOf(key, { ...terms, nonce, at: now() }))
        wantSame("at the ticket office", [answer.status, answer.body.error], [400, "use_dpop_nonce"])
        want(answer.header("dpop-nonce") !== "", "at the ticket office: found no DPoP-Nonce")
      }
      const grant = await bound(subject)
      const answer = await subject.atGate(
        shown(grant.token, await proofOf(grant.key, { ...grant.terms, nonce: undefined, at: now() })),
      )
      wantStatus("at the gate", answer, 401)
      want(answer.header("dpop-nonce") !== "", "at the gate: found no DPoP-Nonce")
      const [challenge] = challengesIn(answer.fields("www-authenticate"))
      wantSame("at the gate: scheme", challenge?.scheme, "dpop")
      want(
        challenge?.attributes.some(([, value]) => value === "use_dpop_nonce") === true,
        "found no use_dpop_nonce",
      )
    },
  },
  {
    id: "N-9449-6",
    clause: "RFC 9449 §11.1",
    promise: "a proof is taken once",
    async check(subject) {
      const { key, terms } = await prepared(subject)
      const proof = await proofOf(key, { ...terms, at: now() })
      wantSame("the first time", (await asked(subject, proof)).body.error, "invalid_grant")
      wantNoProof("the second time", await asked(subject, proof))
      const grant = await bound(subject)
      const entry = await proofOf(grant.key, { ...grant.terms, at: now() })
      const ways = await Promise.all([1, 2, 3, 4].map(() => subject.atGate(shown(grant.token, entry))))
      wantSame("four at once", ways.map(({ status }) => status).sort(), [200, 401, 401, 401])
    },
  },
]
