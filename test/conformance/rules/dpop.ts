/** Rules of RFC 9449: DPoP proofs at the token endpoint and at the gate. */
import { exportJWK } from "jose"
import { createProofKey, type ProofKey, type ProofTerms, proofOf } from "../../support/proofs.ts"
import { challengesIn } from "../challenge.ts"
import { contentOf, signedByHmac } from "../forgery.ts"
import { type Answer, type Fields, form, withHeaders } from "../http.ts"
import { NotRun, requireEqual, requireStatus, requireThat } from "../outcomes.ts"
import type { Rule } from "../rule.ts"
import type { Subject } from "../subject.ts"

const refreshing = form({ grant_type: "refresh_token", refresh_token: "of.nobody" })
const now = (): number => Math.floor(Date.now() / 1000)

/** The token endpoint checks the proof before the grant, so this request needs no grant. */
const sendProofs = (subject: Subject, ...proofs: string[]): Promise<Answer> =>
  subject.atToken(
    withHeaders(
      refreshing,
      proofs.map((proof) => ["dpop", proof] as const),
    ),
  )

/** A key and the terms of a proof that the token endpoint is known to accept. */
async function prepareProof(subject: Subject): Promise<{ key: ProofKey; terms: Omit<ProofTerms, "at"> }> {
  const { dpop_signing_alg_values_supported: supported } = await subject.metadata()
  if (!Array.isArray(supported)) throw new NotRun("the service accepts no proofs")
  const key = await createProofKey()
  const terms = { method: "POST", url: await subject.endpoint("token_endpoint") }
  const { answer, nonce } = await subject.withNonce(key, terms, (proof) => sendProofs(subject, proof))
  requireEqual("with a good proof", [answer.status, answer.body.error], [400, "invalid_grant"])
  return { key, terms: { ...terms, nonce } }
}

const requireProofRefused = (what: string, { status, body }: Answer): void =>
  requireEqual(what, [status, body.error], [400, "invalid_dpop_proof"])

const shown = (token: string, proof?: string, scheme = "DPoP"): Fields => [
  ["authorization", `${scheme} ${token}`],
  ...(proof === undefined ? [] : [["dpop", proof] as const]),
]

/** A bound token that the gate is known to accept with its proof, and a nonce for the next proof. */
async function prepareBoundToken(subject: Subject) {
  const { key, token } = await subject.bound()
  const terms = { url: subject.route(), token }
  const { answer, nonce } = await subject.withNonce(key, terms, (proof) =>
    subject.atGate(shown(token, proof)),
  )
  requireStatus("with a good proof", answer, 200)
  return { key, token, terms: { ...terms, nonce } }
}

export const dpopRules: readonly Rule[] = [
  {
    id: "N-9449-1",
    clause: "RFC 9449 §4.3",
    promise: "exactly one proof, of its type, signed by its public asymmetric key",
    async check(subject) {
      const { key, terms } = await prepareProof(subject)
      const prove = (header: Record<string, unknown>) => proofOf(key, { ...terms, at: now(), header })
      const one = () => proofOf(key, { ...terms, at: now() })
      const two = await sendProofs(subject, await one(), await one())
      requireStatus("two headers", two, 400)
      requireProofRefused("a list", await sendProofs(subject, `${await one()}, ${await one()}`))
      requireProofRefused("no proof at all", await sendProofs(subject, "a.b.c"))
      for (const typ of ["jwt", "at+jwt", "DPoP+JWT ", undefined])
        requireProofRefused(`typ ${typ}`, await sendProofs(subject, await prove({ typ })))
      const whole = await exportJWK(key.privateKey)
      requireProofRefused("a private key", await sendProofs(subject, await prove({ jwk: whole })))
      const other = await createProofKey()
      requireProofRefused("another key", await sendProofs(subject, await prove({ jwk: other.jwk })))
      const claims = { htm: "POST", htu: terms.url, iat: now(), jti: "unsigned", nonce: terms.nonce }
      const head = { typ: "dpop+jwt", jwk: key.jwk }
      requireProofRefused(
        "alg none",
        await sendProofs(subject, `${contentOf({ ...head, alg: "none" }, claims)}.`),
      )
      const secret = { kty: "oct", k: "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" }
      const hmac = signedByHmac(
        { typ: "dpop+jwt", alg: "HS256", jwk: secret },
        claims,
        "secretsecretsecretsecret",
      )
      requireProofRefused("alg HS256", await sendProofs(subject, hmac))
    },
  },
  {
    id: "N-9449-2",
    clause: "RFC 9449 §4.3",
    promise: "the proof names this method, this address and the current minute",
    async check(subject) {
      const { key, terms } = await prepareProof(subject)
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
        requireProofRefused(
          what,
          await sendProofs(subject, await proofOf(key, { ...terms, at: now(), ...change })),
        )
      for (const [what, url] of [
        ["a query", `${terms.url}?a=b#c`],
        ["capitals in the host", `${origin.toUpperCase()}${pathname}`],
      ] as const) {
        const { body } = await sendProofs(subject, await proofOf(key, { ...terms, url, at: now() }))
        requireEqual(`${what} changes nothing`, body.error, "invalid_grant")
      }
    },
  },
  {
    id: "N-9449-3",
    clause: "RFC 9449 §4.3, §6.1, §7",
    promise: "at the gate the proof is signed by the token's key and names the token",
    async check(subject) {
      const { key, token, terms } = await prepareBoundToken(subject)
      const wrong: Record<string, string> = {
        "no ath": await proofOf(key, { ...terms, token: undefined, at: now() }),
        "the ath of another token": await proofOf(key, { ...terms, token: `${token}a`, at: now() }),
        "by another key": await proofOf(await createProofKey(), { ...terms, at: now() }),
      }
      for (const [what, proof] of Object.entries(wrong)) {
        const answer = await subject.atGate(shown(token, proof))
        requireStatus(what, answer, 401)
        requireEqual(what, answer.body.error, "invalid_dpop_proof")
      }
    },
  },
  {
    id: "N-9449-4",
    clause: "RFC 9449 §7.2",
    promise: "a bound token is refused as Bearer, and an unbound one as DPoP",
    async check(subject) {
      const { key, token, terms } = await prepareBoundToken(subject)
      requireStatus("as Bearer", await subject.atGate(shown(token, undefined, "Bearer")), 401)
      const proof = await proofOf(key, { ...terms, at: now() })
      requireStatus("as Bearer with a proof", await subject.atGate(shown(token, proof, "Bearer")), 401)
      const unbound = await subject.token()
      const proofOfUnbound = await proofOf(key, { ...terms, token: unbound, at: now() })
      requireStatus("an unbound token as DPoP", await subject.atGate(shown(unbound, proofOfUnbound)), 401)
    },
  },
  {
    id: "N-9449-5",
    clause: "RFC 9449 §8, §9",
    promise: "a proof without a nonce of this service is answered with a fresh nonce",
    async check(subject) {
      const { key, terms } = await prepareProof(subject)
      if (terms.nonce === undefined) throw new NotRun("the service demands no nonces")
      for (const nonce of [undefined, "of-somebody-else"]) {
        const answer = await sendProofs(subject, await proofOf(key, { ...terms, nonce, at: now() }))
        requireEqual("at the token endpoint", [answer.status, answer.body.error], [400, "use_dpop_nonce"])
        requireThat(answer.header("dpop-nonce") !== "", "at the token endpoint: found no DPoP-Nonce")
      }
      const grant = await prepareBoundToken(subject)
      const answer = await subject.atGate(
        shown(grant.token, await proofOf(grant.key, { ...grant.terms, nonce: undefined, at: now() })),
      )
      requireStatus("at the gate", answer, 401)
      requireThat(answer.header("dpop-nonce") !== "", "at the gate: found no DPoP-Nonce")
      const [challenge] = challengesIn(answer.fields("www-authenticate"))
      requireEqual("at the gate: scheme", challenge?.scheme, "dpop")
      requireThat(
        challenge?.attributes.some(([, value]) => value === "use_dpop_nonce") === true,
        "found no use_dpop_nonce",
      )
    },
  },
  {
    id: "N-9449-6",
    clause: "RFC 9449 §11.1",
    promise: "a proof is accepted once",
    async check(subject) {
      const { terms } = await prepareProof(subject)
      const { key, refreshToken } = await subject.bound()
      const proof = await proofOf(key, { ...terms, at: now() })
      const refresh = () =>
        subject.atToken(
          withHeaders(form({ grant_type: "refresh_token", refresh_token: refreshToken }), [["dpop", proof]]),
        )
      requireStatus("the first time", await refresh(), 200)
      requireProofRefused("the second time", await refresh())
      const grant = await prepareBoundToken(subject)
      const sameProof = await proofOf(grant.key, { ...grant.terms, at: now() })
      const answers = await Promise.all([1, 2, 3, 4].map(() => subject.atGate(shown(grant.token, sameProof))))
      requireEqual("four at once", answers.map(({ status }) => status).sort(), [200, 401, 401, 401])
    },
  },
]
