/** Seals: what shows that this service made a text, without its being stored. */
import { createHmac, timingSafeEqual } from "node:crypto"

/** The purpose of a seal; a seal of one purpose is invalid for the other. */
type Purpose = "nonce" | "quote"

/** 128 bits: 22 characters, in one spelling. */
export const sealOf = (key: Uint8Array, purpose: Purpose, text: string): string =>
  createHmac("sha256", key)
    .update(`ticket402/seal/${purpose}/1\n`)
    .update(text)
    .digest()
    .subarray(0, 16)
    .toString("base64url")

/** Whether one of the keys sealed the text. */
export function isSealOf(
  keys: readonly Uint8Array[],
  purpose: Purpose,
  text: string,
  shown: string,
): boolean {
  const bytes = Buffer.from(shown)
  return keys.some((key) => {
    const wanted = Buffer.from(sealOf(key, purpose, text))
    return bytes.length === wanted.length && timingSafeEqual(bytes, wanted)
  })
}
