/** Authenticates a client by id and secret (RFC 6749 §2.3). Only the hash of a secret is ever stored. */
import { createHash, timingSafeEqual } from "node:crypto"
import { Refusal } from "../../shared/refusals.ts"

export type Credentials = { readonly id: string; readonly secret: string }

/** From HTTP Basic or from the body, never from both; undefined when there is no secret, as with a public client. */
export function readCredentials(request: {
  /** The Authorization header. */
  readonly authorization: string | undefined
  readonly parameters: ReadonlyMap<string, unknown>
}): Credentials | undefined {
  const { authorization, parameters } = request
  const [id, secret] = [parameters.get("client_id"), parameters.get("client_secret")]
  if (authorization !== undefined) {
    const credentials = readBasic(authorization)
    if (!credentials) throw new Refusal("invalid_client")
    // Some clients repeat their id in the body.
    if (secret !== undefined || (id !== undefined && id !== credentials.id))
      throw new Refusal("malformed", "Found client credentials in the header and in the body.")
    return credentials
  }
  if (secret === undefined) return undefined
  if (typeof id !== "string" || typeof secret !== "string")
    throw new Refusal("malformed", "Wanted client_id and client_secret, strings.")
  return { id, secret }
}

/** Both parts are form-urlencoded before they are joined by a colon (RFC 6749 §2.3.1). */
function readBasic(authorization: string): Credentials | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]{1,4096}={0,2})$/i.exec(authorization)?.[1]
  const bytes = encoded === undefined ? undefined : Buffer.from(encoded, "base64")
  if (!bytes || bytes.toString("base64") !== encoded) return undefined
  const joined = bytes.toString("utf8")
  const colon = joined.indexOf(":")
  const [id, secret] = [joined.slice(0, colon), joined.slice(colon + 1)].map(formDecode)
  return colon === -1 || id === undefined || secret === undefined ? undefined : { id, secret }
}

function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "))
  } catch {
    return undefined
  }
}

export const sha256Hex = (text: string): string => createHash("sha256").update(text).digest("hex")

/** The hash for unknown clients, so that their refusal takes as long as that of a wrong secret (WL-13). */
const nobodys = "0".repeat(64)

/** Whether the secret matches the hash; `hash` is undefined for an unknown client. */
export const isSecret = (secret: string, hash: string | null | undefined): boolean =>
  timingSafeEqual(Buffer.from(sha256Hex(secret), "hex"), Buffer.from(hash ?? nobodys, "hex"))
