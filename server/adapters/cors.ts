/** Which pages may call the service: an exact list of origins, and the headers they may send and see (wire.md §1). */
import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import cors from "cors"
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

type CrossOriginRequest = { readonly method?: string; readonly headers: IncomingHttpHeaders }

export type Cors = {
  /** Whether the request is the question of a listed page, which is answered here and reaches nobody else. */
  isPreflight(request: CrossOriginRequest): boolean
  /** Says on the answer which page may read it; ends the answer when the request is an OPTIONS. */
  apply(request: CrossOriginRequest, response: ServerResponse): void
}

export function createCors(origins: readonly string[]): Cors {
  const listed = new Set(origins)
  const middleware = cors<CrossOriginRequest>({
    // A list, even of one: for a single string the package would not compare but simply name it.
    origin: [...listed],
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    allowedHeaders: [
      "Authorization",
      "Content-Type",
      paymentSignatureHeader,
      paymentHeaderV1,
      // Stock x402 clients send it with a payment, where it means nothing; a page could not pay without it.
      "Access-Control-Expose-Headers",
      commitmentHeader,
      secretHeader,
      idempotencyHeader,
      dpopHeader,
    ],
    exposedHeaders: [
      paymentRequiredHeader,
      paymentResponseHeader,
      paymentResponseHeaderV1,
      tokenHeader,
      "WWW-Authenticate",
      dpopNonceHeader,
      "Retry-After",
      "RateLimit",
    ],
    maxAge: 600,
  })
  return {
    isPreflight: ({ method, headers }) =>
      method === "OPTIONS" &&
      headers["access-control-request-method"] !== undefined &&
      listed.has(headers.origin ?? ""),
    apply(request, response) {
      if (listed.size > 0) middleware(request, response, () => undefined)
      else if (request.method === "OPTIONS") response.writeHead(204).end()
    },
  }
}
