/** Reads and writes x402 headers: standard base64 of UTF-8 JSON (x402 v2, HTTP transport). */
import { parseJson } from "./json.ts"

const base64Pattern = /^[A-Za-z0-9+/]+={0,2}$/

export class CodecError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "CodecError"
  }
}

export function encodeHeader(value: unknown): string {
  return bytesToBase64(new TextEncoder().encode(JSON.stringify(value)))
}

/** Throws {@link CodecError} for anything but canonical base64, and a JsonError for bad contents. */
export function decodeHeader(text: string): unknown {
  if (text.length % 4 !== 0 || !base64Pattern.test(text))
    throw new CodecError("found text that is not standard base64")
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  if (bytesToBase64(bytes) !== text) throw new CodecError("found base64 with stray bits")
  let json: string
  try {
    json = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    throw new CodecError("found bytes that are not UTF-8")
  }
  return parseJson(json)
}

function bytesToBase64(bytes: Uint8Array): string {
  let binary = ""
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}
