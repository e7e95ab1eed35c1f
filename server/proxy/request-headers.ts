/** Makes the headers of a request to an upstream: without the buyer's credentials, with those of the service. */
import { idempotencyHeader } from "../../shared/oauth/messages.ts"
import { paymentHeaderV1, paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { fieldsOf, type RawHeaders } from "../gate/raw-headers.ts"
import type { Credentials } from "./credentials.ts"
import { headerKey, isBuyersOwn } from "./header-names.ts"

export type Forwarded = {
  /** The host of the upstream. */
  readonly host: string
  readonly peer: string
  /** Of the issuer, whatever the request says. */
  readonly publicUrl: URL
}

/** Names and values in turn. */
export function requestHeaders(
  rawHeaders: RawHeaders,
  { headers }: Credentials,
  { host, peer, publicUrl }: Forwarded,
): string[] {
  const named = connectionNames(rawHeaders)
  const isPurchase = [paymentSignatureHeader, paymentHeaderV1].some(
    (name) => fieldsOf(rawHeaders, name).length > 0,
  )
  const kept: string[] = ["host", host]
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ""
    const key = headerKey(name)
    if (isBuyersOwn(key) || named.has(key) || headers.has(key)) continue
    if (isPurchase && key === idempotencyHeader.toLowerCase()) continue
    kept.push(name, rawHeaders[at + 1] ?? "")
  }
  if (peer !== "") kept.push("x-forwarded-for", peer)
  kept.push("x-forwarded-host", publicUrl.host, "x-forwarded-proto", publicUrl.protocol.slice(0, -1))
  // After the names of `Connection` were removed: a client could otherwise remove a credential.
  for (const [name, value] of headers) kept.push(name, value)
  return kept
}

/** `Content-Length` stays, because the framing of the body depends on it. */
function connectionNames(rawHeaders: RawHeaders): ReadonlySet<string> {
  const names = fieldsOf(rawHeaders, "connection").flatMap((value) => value.split(","))
  const keys = new Set(names.map((name) => headerKey(name.trim())))
  keys.delete("content-length")
  return keys
}
