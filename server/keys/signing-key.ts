/** One key that signs access tokens (RFC 9068) and receipts, and accepts tokens in exactly the one spelling it writes. */
import { base64url, type CryptoKey, compactVerify, importJWK } from "jose"
import { accessTokenType, type Claims, claimsSchema } from "../../shared/oauth/access-token.ts"
import { isCanonical, jwsHeader } from "../../shared/oauth/jws.ts"
import { receiptType } from "../../shared/oauth/receipt.ts"
import { revocationsType } from "../../shared/oauth/revocation-list.ts"
import { parseJson } from "../../shared/values/json.ts"
import { SignerUnavailable } from "../ports/keys.ts"
import { canonical, createSign, publicJwkOf } from "./algorithms.ts"
import { KeyFileError } from "./files.ts"
import type { AccessKey } from "./ring.ts"

const types = { token: accessTokenType, receipt: receiptType, revocations: revocationsType } as const
const payloadPattern = /^[A-Za-z0-9_-]{1,8192}$/
/** A signer outside that takes longer is away. */
const longestSignMilliseconds = 5000

/** Signs bytes and returns a raw signature: r and s, or R and S, of 32 bytes each. */
export type SignBytes = (bytes: Uint8Array) => Promise<Uint8Array>

export type SigningKey = {
  /** The first part of every token it signs, which names algorithm, type and key. */
  readonly tokenHeader: string
  /** Throws {@link SignerUnavailable}. */
  sign(kind: keyof typeof types, payload: object): Promise<string>
  /** Undefined for every text that this key did not sign as an access token. */
  verify(token: string): Promise<Claims | undefined>
  /** Checks that its public half verifies its signatures. Throws {@link SignerUnavailable}. */
  works(): Promise<boolean>
}

/**
 * `outside`: the signer that holds the private half; without it, the key's own if it has one. Throws {@link KeyFileError}.
 */
export async function loadSigningKey(key: AccessKey, external: SignBytes | undefined): Promise<SigningKey> {
  const { id, alg } = key
  const [publicKey, own] = await halvesOf(key)
  const header = (kind: keyof typeof types) => jwsHeader(alg, types[kind], id)

  async function check(token: string): Promise<Uint8Array | undefined> {
    try {
      return (await compactVerify(token, publicKey, { algorithms: [alg] })).payload
    } catch {
      // Whatever jose finds wrong, this key did not sign it.
      return undefined
    }
  }

  async function sign(kind: keyof typeof types, payload: object): Promise<string> {
    const content = `${header(kind)}.${base64url.encode(JSON.stringify(payload))}`
    const bytes = new TextEncoder().encode(content)
    if (!external && !own) throw new SignerUnavailable("the private half of the key is elsewhere")
    const signature = await (external ? inTime(external, bytes) : own?.(bytes))
    if (signature?.length !== 64)
      throw new SignerUnavailable(`found a signature of ${signature?.length} bytes, wanted 64 (r and s)`)
    const token = `${content}.${canonical(alg, signature)}`
    // A remote signature may be by another key, and a token that nobody accepts is worse than none.
    if (external && !(await check(token)))
      throw new SignerUnavailable("found a signature that the public key does not verify")
    return token
  }

  return {
    tokenHeader: header("token"),
    sign,
    async verify(token) {
      const [, payload = "", signature = "", ...more] = token.split(".")
      if (more.length > 0 || !payloadPattern.test(payload) || !isCanonical(alg, signature)) return undefined
      const bytes = await check(token)
      return bytes && readClaims(bytes)
    },
    works: async () => (await check(await sign("receipt", {}))) !== undefined,
  }
}

async function halvesOf({ id, alg, jwk }: AccessKey): Promise<[CryptoKey, SignBytes | undefined]> {
  try {
    const publicKey = (await importJWK(publicJwkOf(id, alg, jwk), alg)) as CryptoKey
    return [publicKey, jwk.d === undefined ? undefined : createSign(alg, jwk)]
  } catch {
    throw new KeyFileError(`the key ${id} is damaged: wanted the two halves of one ${alg} key`)
  }
}

function readClaims(payload: Uint8Array): Claims | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload)
    const claims = claimsSchema.safeParse(parseJson(text, 4))
    return claims.success ? claims.data : undefined
  } catch {
    return undefined
  }
}

async function inTime(signer: SignBytes, bytes: Uint8Array): Promise<Uint8Array> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), longestSignMilliseconds)
  })
  try {
    return await Promise.race([signer(bytes), late])
  } catch (error) {
    throw new SignerUnavailable("the signer failed", { cause: error })
  } finally {
    clearTimeout(timer)
  }
}
