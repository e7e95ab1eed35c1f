/** Names the pages that may call the service: an exact list of origins, and the headers they may send and read. */
import { dpopHeader, dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import {
  commitmentHeader,
  idempotencyHeader,
  secretHeader,
  tokenHeader,
} from "../../shared/oauth/messages.ts"
import {
  paymentHeaderV1,
  paymentRequiredHeader,
  paymentResponseHeader,
  paymentResponseHeaderV1,
  paymentSignatureHeader,
} from "../../shared/x402/messages.ts"
import { fieldsOf, type RawHeaders } from "./raw-headers.ts"

export type Cors = {
  /** Whether the request is the preflight of a listed page. */
  isPreflight(method: string, rawHeaders: RawHeaders): boolean
  /** The headers that let a listed page read an answer; for OPTIONS also those that let it send a request. */
  headersFor(method: string, rawHeaders: RawHeaders): Readonly<Record<string, string>>
}

const allowed = {
  "access-control-allow-methods": "GET,HEAD,POST,PUT,PATCH,DELETE",
  "access-control-allow-headers": [
    "Authorization",
    "Content-Type",
    paymentSignatureHeader,
    paymentHeaderV1,
    // Stock x402 clients send it with a payment, where it means nothing; without it a page could not pay.
    "Access-Control-Expose-Headers",
    commitmentHeader,
    secretHeader,
    idempotencyHeader,
    dpopHeader,
  ].join(","),
  "access-control-max-age": "600",
}
const exposed = {
  "access-control-expose-headers": [
    paymentRequiredHeader,
    paymentResponseHeader,
    paymentResponseHeaderV1,
    tokenHeader,
    "WWW-Authenticate",
    dpopNonceHeader,
    "Retry-After",
    "RateLimit",
  ].join(","),
  vary: "Origin",
}
const none = {}

export function createCors(origins: readonly string[]): Cors {
  const listed = new Set(origins)

  /** The listed page that sent the request; none when the header came twice. */
  function originIn(rawHeaders: RawHeaders): string | undefined {
    const [origin = "", ...more] = fieldsOf(rawHeaders, "origin")
    return listed.has(origin) && more.length === 0 ? origin : undefined
  }

  return {
    isPreflight: (method, rawHeaders) =>
      method === "OPTIONS" &&
      fieldsOf(rawHeaders, "access-control-request-method").length > 0 &&
      originIn(rawHeaders) !== undefined,
    headersFor(method, rawHeaders) {
      if (listed.size === 0) return none
      const origin = originIn(rawHeaders)
      return {
        ...exposed,
        ...(method === "OPTIONS" && allowed),
        ...(origin !== undefined && { "access-control-allow-origin": origin }),
      }
    },
  }
}
