/** Derives refresh tokens by HMAC from the grant and its generation, so that none is stored. */
import { createHmac, timingSafeEqual } from "node:crypto"

const grantIdBytes = 16
const generationBytes = 4
const form = /^([A-Za-z0-9_-]{27})\.([A-Za-z0-9_-]{43})$/

const mac = (key: Uint8Array, handle: Uint8Array): Uint8Array =>
  createHmac("sha256", key).update("ticket402/refresh/1").update(handle).digest()

export function issueRefreshToken(key: Uint8Array, grantId: string, generation: number): string {
  const handle = Buffer.alloc(grantIdBytes + generationBytes)
  Buffer.from(grantId, "base64url").copy(handle)
  handle.writeUInt32BE(generation, grantIdBytes)
  return `${handle.toString("base64url")}.${Buffer.from(mac(key, handle)).toString("base64url")}`
}

/** Undefined for what none of the keys made. */
export function readRefreshToken(
  keys: readonly Uint8Array[],
  token: string,
): { grantId: string; generation: number } | undefined {
  const match = form.exec(token)
  if (!match?.[1] || !match[2]) return undefined
  const handle = Buffer.from(match[1], "base64url")
  const shown = Buffer.from(match[2], "base64url")
  const canonical = handle.toString("base64url") === match[1] && shown.toString("base64url") === match[2]
  if (!canonical || !keys.some((key) => timingSafeEqual(shown, mac(key, handle)))) return undefined
  return {
    grantId: handle.subarray(0, grantIdBytes).toString("base64url"),
    generation: handle.readUInt32BE(grantIdBytes),
  }
}
