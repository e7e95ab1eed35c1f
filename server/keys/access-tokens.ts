/** Access tokens: signed as RFC 9068 JWTs with ES256, and accepted in exactly the one spelling this service writes. */
import {
  base64url,
  type CryptoKey,
  calculateJwkThumbprint,
  compactVerify,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from "jose"
import { accessTokenType, type Claims, claimsSchema } from "../../shared/access-token.ts"
import { parseJson } from "../../shared/json.ts"

const alg = "ES256"
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
/** 64 bytes in base64url: 86 characters, the last of which has four bits that must be zero. */
const signaturePattern = /^[A-Za-z0-9_-]{85}[AQgw]$/
const payloadPattern = /^[A-Za-z0-9_-]{1,8192}$/

export const generateAccessKey = async (): Promise<string> => {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  return JSON.stringify(await exportJWK(privateKey))
}

export type AccessTokenKey = {
  readonly publicJwk: JWK
  sign(claims: Claims): Promise<string>
  verify(token: string): Promise<Claims | undefined>
}

/** Throws when the text is not a private P-256 JWK. */
export async function loadAccessKey(text: string): Promise<AccessTokenKey> {
  const jwk = JSON.parse(text) as JWK
  if (jwk.kty !== "EC" || jwk.crv !== "P-256" || !jwk.d || !jwk.x || !jwk.y)
    throw new TypeError("wanted a private EC key on P-256")
  const { d: _, ...rest } = jwk
  const kid = await calculateJwkThumbprint(rest)
  const publicJwk: JWK = { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y, kid, alg, use: "sig" }
  const privateKey = (await importJWK(jwk, alg)) as CryptoKey
  const publicKey = (await importJWK(publicJwk, alg)) as CryptoKey
  const header = { alg, typ: accessTokenType, kid }
  // Comparing the whole encoded header leaves no room for another alg, typ or kid, for jku, jwk or crit, or for a key
  // given twice: none of them is ever parsed.
  const prefix = `${base64url.encode(JSON.stringify(header))}.`

  return {
    publicJwk,
    sign: async (claims) => lowS(await new SignJWT(claims).setProtectedHeader(header).sign(privateKey)),
    async verify(token) {
      if (!token.startsWith(prefix)) return undefined
      const [payload = "", signature = "", ...more] = token.slice(prefix.length).split(".")
      if (more.length > 0 || !payloadPattern.test(payload) || !signaturePattern.test(signature))
        return undefined
      if (halves(signature).s > order / 2n) return undefined
      try {
        const verified = await compactVerify(token, publicKey, { algorithms: [alg] })
        const text = new TextDecoder("utf-8", { fatal: true }).decode(verified.payload)
        const claims = claimsSchema.safeParse(parseJson(text, 4))
        return claims.success ? claims.data : undefined
      } catch {
        // Whatever jose finds wrong, the token is not one of ours.
        return undefined
      }
    },
  }
}

/** ECDSA has two valid signatures for each; only the one with the low s is ever written or accepted. */
function lowS(token: string): string {
  const at = token.lastIndexOf(".") + 1
  const { r, s } = halves(token.slice(at))
  return s > order / 2n ? token.slice(0, at) + base64url.encode(join(r, order - s)) : token
}

function halves(signature: string): { r: bigint; s: bigint } {
  const hex = Buffer.from(signature, "base64url").toString("hex")
  return { r: BigInt(`0x${hex.slice(0, 64)}`), s: BigInt(`0x${hex.slice(64)}`) }
}

const join = (r: bigint, s: bigint): Uint8Array =>
  Buffer.from(r.toString(16).padStart(64, "0") + s.toString(16).padStart(64, "0"), "hex")
