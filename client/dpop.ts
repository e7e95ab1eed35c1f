/** The client's side of DPoP (RFC 9449): a key for one purchase, which never leaves the runtime, and proofs made with it. */
import { base64url, exportJWK, generateKeyPair, SignJWT } from "jose"
import { dpopNonceHeader, proofAddress, proofType } from "../shared/dpop.ts"

export type Prover = {
  /** The DPoP header of a request; `token` when it shows one. Good for one sending. */
  prove(request: { readonly method: string; readonly url: URL }, token?: string): Promise<string>
  /** Keeps the nonce that an answer brings for the next proofs to its origin. */
  learn(url: URL, answer: Response): void
}

const longestNonce = 256

/** `now` in seconds. */
export function createProver(tools: {
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
}): Prover {
  const key = lazy(async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: false })
    return { privateKey, jwk: await exportJWK(publicKey) }
  })
  // A purchase has an API and a ticket office: two origins at most.
  const nonces = new Map<string, string>()

  return {
    async prove({ method, url }, token) {
      const { privateKey, jwk } = await key()
      const nonce = nonces.get(url.origin)
      return new SignJWT({
        jti: base64url.encode(tools.random(16)),
        htm: method,
        htu: proofAddress(url),
        iat: Math.floor(tools.now()),
        ...(token !== undefined && { ath: await sha256(token) }),
        ...(nonce !== undefined && { nonce }),
      })
        .setProtectedHeader({ typ: proofType, alg: "ES256", jwk })
        .sign(privateKey)
    },
    learn(url, { headers }) {
      const nonce = headers.get(dpopNonceHeader)
      if (nonce !== null && nonce.length <= longestNonce) nonces.set(url.origin, nonce)
    },
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

function lazy<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
