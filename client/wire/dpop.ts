/** Creates DPoP keys and proofs (RFC 9449), one key a purchase. */
import { base64url, type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose"
import { dpopNonceHeader, proofAddress, proofType } from "../../shared/oauth/dpop.ts"
import { setBounded } from "../core/bounded.ts"

/** The key that a purchase is bound to. The private half is a handle that cannot be exported, unless it is written down. */
export type ProofKey = { readonly privateKey: CryptoKey | JWK; readonly publicKey: JWK }

export type Prover = {
  /** The DPoP header of a request; `token` when it shows one. Valid for one sending. */
  prove(request: { readonly method: string; readonly url: URL }, token?: string): Promise<string>
  /** Keeps the nonce that an answer brings for the next proofs to its origin. */
  learn(url: URL, answer: Response): void
}

const longestNonce = 256
const noncesRemembered = 1_000

/** A key that cannot be exported, unless it has to be written down. */
export async function createProofKey(isWritten: boolean): Promise<ProofKey> {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: isWritten })
  return {
    privateKey: isWritten ? await exportJWK(privateKey) : privateKey,
    publicKey: await exportJWK(publicKey),
  }
}

/** Returns a prover for the owner of a key. `now` in seconds. */
export type Provers = (key: ProofKey | undefined) => Prover | undefined

export function createProvers(tools: {
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
}): Provers {
  /** By key and origin. A forgotten one costs a round trip. */
  const nonces = new Map<string, string>()

  return (key) => {
    if (!key) return undefined
    const { privateKey, publicKey } = key
    const at = (url: URL): string => `${publicKey.x} ${url.origin}`
    return {
      async prove({ method, url }, token) {
        const nonce = nonces.get(at(url))
        return new SignJWT({
          jti: base64url.encode(tools.random(16)),
          htm: method,
          htu: proofAddress(url),
          iat: Math.floor(tools.now()),
          ...(token !== undefined && { ath: await sha256(token) }),
          ...(nonce !== undefined && { nonce }),
        })
          .setProtectedHeader({ typ: proofType, alg: "ES256", jwk: publicKey })
          .sign(privateKey)
      },
      learn(url, { headers }) {
        const nonce = headers.get(dpopNonceHeader)
        if (nonce !== null && nonce.length <= longestNonce)
          setBounded(nonces, at(url), nonce, noncesRemembered)
      },
    }
  }
}

/** Whether a resource refused a proof for want of a nonce, before it did anything (§9). */
export const wantsNonce = (answer: Response): boolean =>
  answer.status === 401 &&
  answer.headers.has(dpopNonceHeader) &&
  /\berror="use_dpop_nonce"/.test(answer.headers.get("www-authenticate") ?? "")

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
  return base64url.encode(new Uint8Array(digest))
}
