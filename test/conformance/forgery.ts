/** Makes tokens with exactly one error: by foreign keys, and by the service's own key where it is given. */
import { createHmac, generateKeyPairSync, sign as signBytes } from "node:crypto"
import { base64url, decodeProtectedHeader, type JWK } from "jose"
import { activeKey } from "../../server/core/key-ring.ts"
import { canonical, createSign } from "../../server/keys/algorithms.ts"
import { createRingFile } from "../../server/keys/ring-file.ts"

type Part = Record<string, unknown> | string | Uint8Array

export type ServiceKey = {
  /** The header of the service's own tokens. */
  readonly header: { readonly alg: string; readonly typ: string; readonly kid: string }
  /** Signs any header and payload; text and bytes are used as they are. */
  sign(payload: Part, header?: Part): Promise<string>
}

/** Reads the active signing key from a key folder of the service. Throws when there is none. */
export async function readServiceKey(folder: string): Promise<ServiceKey> {
  const { ring } = await createRingFile(folder).read()
  const key = activeKey(ring.access)
  if (key?.jwk.d === undefined)
    throw new Error(`${folder}: found no signing key, wanted the key folder of the service`)
  const sign = await createSign(key.alg, key.jwk)
  const own = { alg: key.alg, typ: "at+jwt", kid: key.id }
  return {
    header: own,
    async sign(payload, header = own) {
      const content = contentOf(header, payload)
      return `${content}.${canonical(key.alg, await sign(new TextEncoder().encode(content)))}`
    },
  }
}

export type ForeignKey = { readonly jwk: JWK; sign(header: Part, payload: Part): string }

/** A key that the service does not know. */
export function createForeignKey(alg: "ES256" | "RS256" = "ES256"): ForeignKey {
  const { privateKey, publicKey } =
    alg === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 })
  return {
    jwk: publicKey.export({ format: "jwk" }) as JWK,
    sign(header, payload) {
      const content = contentOf(header, payload)
      const signature = signBytes("sha256", Buffer.from(content), {
        key: privateKey,
        dsaEncoding: "ieee-p1363",
      })
      const encodedSignature = alg === "ES256" ? canonical("ES256", signature) : base64url.encode(signature)
      return `${content}.${encodedSignature}`
    },
  }
}

export function signedByHmac(header: Part, payload: Part, secret: string): string {
  const content = contentOf(header, payload)
  return `${content}.${createHmac("sha256", secret).update(content).digest("base64url")}`
}

/** The same content under another signature. */
export const withSignature = (token: string, signature: string): string =>
  `${token.slice(0, token.lastIndexOf("."))}.${signature}`

export const headerOf = (token: string): Record<string, unknown> => ({ ...decodeProtectedHeader(token) })

export const contentOf = (header: Part, payload: Part): string => `${encoded(header)}.${encoded(payload)}`

const encoded = (part: Part): string =>
  base64url.encode(typeof part === "string" || part instanceof Uint8Array ? part : JSON.stringify(part))
