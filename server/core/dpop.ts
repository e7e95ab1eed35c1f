/** Checks that a proof of possession matches its request (RFC 9449 §4.3), and names its single use. */
import { type ProofClaims, readProofAddress } from "../../shared/oauth/dpop.ts"
import { sha256, stringToBytes } from "../../shared/values/evm.ts"

/** A proof whose signature is that of its own key. */
export type Proof = {
  readonly claims: ProofClaims
  /** RFC 7638 thumbprint of the key. */
  readonly thumbprint: string
}

export type ProvenRequest = {
  readonly method: string
  /** As `shared/oauth/dpop.ts` spells it. */
  readonly address: string
  /** The access token that goes with the proof; absent at the token endpoint. */
  readonly token?: {
    /** base64url of its SHA-256. */
    readonly hash: string
    /** Of the key it is bound to. */
    readonly thumbprint: string
  }
}

/** How far from now a proof may have been made, in seconds. */
const proofSeconds = 60

/** The reason why the proof does not fit the request, in words for the client; undefined when it fits. */
export function whyUnfit(
  { claims, thumbprint }: Proof,
  request: ProvenRequest,
  now: number,
): string | undefined {
  const { token } = request
  if (claims.htm !== request.method) return "Its htm is another method."
  if (readProofAddress(claims.htu) !== request.address) return "Its htu is another address."
  const age = now - claims.iat
  if (Math.abs(age) > proofSeconds)
    return `Its iat is ${Math.abs(age)} s ${age > 0 ? "behind" : "ahead of"} the clock of this server; ${proofSeconds} s are allowed.`
  if (token && claims.ath !== token.hash) return "Its ath is not that of the token."
  if (token && thumbprint !== token.thumbprint) return "Its key is not the one the token is bound to."
  return undefined
}

/** Names the use of a proof. The same `jti` by another key or for another address is another proof (§11.1). */
export const useOf = ({ claims, thumbprint }: Proof): string =>
  sha256(stringToBytes(JSON.stringify(["dpop", thumbprint, claims.htu, claims.jti])))

/** Until when the proof would be taken again, were its use not remembered. */
export const expiryOf = ({ claims }: Proof): number => claims.iat + proofSeconds
