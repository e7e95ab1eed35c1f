/** Uses an external signer, which holds the private half of a signing key outside this process. */
import type { JWK } from "jose"
import type { TokenAlgorithm } from "../../shared/oauth/jws.ts"
import { SignerUnavailable } from "../ports/keys.ts"
import type { Logger } from "../ports/runtime.ts"
import { fits, jwkSchema } from "./algorithms.ts"
import { KeyFileError } from "./files.ts"
import { type KeyRing, keyId } from "./ring.ts"
import type { SignerKey } from "./ring-changes.ts"
import type { SignBytes, SigningKey } from "./signing-key.ts"

/** A KMS, an HSM, an agent. */
export type Signer = {
  /** 1 to 128 letters, digits and `. _ ~ -`; one key has one name for ever. */
  readonly kid: string
  readonly alg: TokenAlgorithm
  /** P-256 for ES256, Ed25519 for EdDSA. */
  readonly publicJwk: JWK
  /** The raw signature (64 bytes, r and s) of the bytes, of which ES256 takes the SHA-256. May fail; then it is asked again. */
  readonly sign: SignBytes
}

/** The public part, as the ring keeps it. Throws {@link KeyFileError}. */
export function readSigner({ kid, alg, publicJwk }: Signer): SignerKey {
  if (publicJwk.d !== undefined)
    throw new KeyFileError("signer: found a private key, wanted the public half only")
  const { kty, crv, x, y } = publicJwk
  const jwk = jwkSchema.safeParse({ kty, crv, x, ...(y !== undefined && { y }) })
  if (!keyId.safeParse(kid).success)
    throw new KeyFileError("signer: wanted a kid of 1 to 128 plain characters")
  if (!jwk.success || !fits(alg, jwk.data))
    throw new KeyFileError("signer: wanted a public key on P-256 for ES256, or of Ed25519 for EdDSA")
  return { id: kid, alg, jwk: jwk.data }
}

/** Throws {@link KeyFileError} when a known key id names another key, or when a removed key returns. */
export function checkAgainst(ring: KeyRing, signer: SignerKey): void {
  if (ring.removed.some(({ id }) => id === signer.id))
    throw new KeyFileError(`signer: found the key ${signer.id}, which was removed; wanted another`)
  const known = [...ring.access, ...ring.retired].find(({ id }) => id === signer.id)
  if (known && (known.alg !== signer.alg || known.jwk.x !== signer.jwk.x))
    throw new KeyFileError(`signer: found another key than before under the name ${signer.id}`)
}

/** A signer that is away may come back, and payments wait for it; one that signs with another key is a mistake. */
export async function tryExternal(key: SigningKey, log: Pick<Logger, "warn"> | undefined): Promise<void> {
  try {
    await key.works()
  } catch (error) {
    if (!(error instanceof SignerUnavailable)) throw error
    if (error.cause === undefined) throw new KeyFileError(`signer: ${error.message}`)
    log?.warn({ err: error }, "the signer does not answer; payments are refused with 503 until it does")
  }
}
