/** Names the answers of the proxy's own, none with a detail of the upstream. */
import type { PlainAnswer } from "../../shared/oauth/gate-answer.ts"

const statuses = {
  no_such_route: 404,
  service_worker_refused: 403,
  body_too_large: 413,
  too_many_requests: 429,
  server_error: 500,
  upstream_unreachable: 502,
  upstream_refused: 502,
  upstream_timeout: 504,
} as const
export type Failure = keyof typeof statuses

export const failureAnswer = (failure: Failure): PlainAnswer => ({
  status: statuses[failure],
  headers: {
    "cache-control": "no-store",
    "content-type": "application/json",
    "x-content-type-options": "nosniff",
    ...(failure === "too_many_requests" && { "retry-after": "60" }),
  },
  body: JSON.stringify({ error: failure }),
})

/** The service or the upstream failed, so the call costs nothing. */
export const isOurFault = (failure: Failure): boolean => statuses[failure] >= 500

export class BodyTooLarge extends Error {}
export class BuyerLeft extends Error {}
export class AddressRefused extends Error {}

const timeouts: ReadonlySet<string> = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_CONNECT_TIMEOUT"])

export function failureOf(error: Error): Failure {
  if (error instanceof BodyTooLarge) return "body_too_large"
  const code = "code" in error ? String(error.code) : ""
  return timeouts.has(code) ? "upstream_timeout" : "upstream_unreachable"
}

/** A kept connection that the upstream has just closed: nothing of an answer was there. */
export const isStaleConnection = (error: Error): boolean =>
  "code" in error && ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"].includes(String(error.code))
