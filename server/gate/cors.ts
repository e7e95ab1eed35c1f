/** Names the pages that may call the service: an exact list of origins, and the headers they may send and read. */
import { dpopHeader, dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import { commitmentHeader, idempotencyHeader, secretHeader } from "../../shared/oauth/messages.ts"
import { tokenHeader } from "../../shared/token-header.ts"
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

const allowed = [
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
  tokenHeader,
]
const exposed = [
  paymentRequiredHeader,
  paymentResponseHeader,
  paymentResponseHeaderV1,
  tokenHeader,
  "WWW-Authenticate",
  dpopNonceHeader,
  "Retry-After",
  "RateLimit",
]
const none = {}

export type CorsOptions = {
  /** Origins of the pages. */
  readonly cors: readonly string[]
  /** Lists of the application; the two of headers are added to the headers of ticket402. */
  readonly corsLists: {
    readonly methods: readonly string[]
    readonly allowHeaders: readonly string[]
    readonly exposeHeaders: readonly string[]
  }
}

export function createCors({ cors, corsLists }: CorsOptions): Cors {
  const listed = new Set(cors)
  const read = {
    "access-control-expose-headers": [...exposed, ...corsLists.exposeHeaders].join(","),
    vary: "Origin",
  }
  const sent = {
    "access-control-allow-methods": corsLists.methods.join(","),
    "access-control-allow-headers": [...allowed, ...corsLists.allowHeaders].join(","),
    "access-control-max-age": "600",
  }

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
        ...read,
        ...(method === "OPTIONS" && sent),
        ...(origin !== undefined && { "access-control-allow-origin": origin }),
      }
    },
  }
}
