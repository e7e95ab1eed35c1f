/** DPoP proofs for tests: valid ones, and ones with exactly one error. */
import { createHash, randomUUID } from "node:crypto"
import {
  base64url,
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWK,
  SignJWT,
} from "jose"

export type ProofKey = {
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
  readonly thumbprint: string
}

export async function createProofKey(alg = "ES256"): Promise<ProofKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  return { alg, privateKey, jwk, thumbprint: await calculateJwkThumbprint(jwk) }
}

export type ProofTerms = {
  readonly method?: string
  readonly url: string
  readonly token?: string | undefined
  readonly nonce?: string | undefined
  readonly at: number
  readonly jti?: string
  /** Members of the header and claims that replace the correct ones. */
  readonly header?: Record<string, unknown>
  readonly claims?: Record<string, unknown>
}

export const proofOf = (key: ProofKey, terms: ProofTerms): Promise<string> =>
  new SignJWT({
    jti: terms.jti ?? randomUUID(),
    htm: terms.method ?? "GET",
    htu: terms.url,
    iat: terms.at,
    ...(terms.token !== undefined && { ath: hashOf(terms.token) }),
    ...(terms.nonce !== undefined && { nonce: terms.nonce }),
    ...terms.claims,
  })
    .setProtectedHeader({ typ: "dpop+jwt", alg: key.alg, jwk: key.jwk, ...terms.header })
    .sign(key.privateKey)

/** Sends a proof, and again with the nonce if the answer names one. */
export async function withProof<T extends { readonly headers: Headers }>(
  send: (proof: string) => Promise<T>,
  prove: (nonce?: string) => Promise<string>,
): Promise<T> {
  const first = await send(await prove())
  const nonce = first.headers.get("dpop-nonce")
  return nonce === null ? first : send(await prove(nonce))
}

const hashOf = (token: string): string => base64url.encode(createHash("sha256").update(token).digest())
