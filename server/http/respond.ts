/** Builds web Responses: JSON, refusals, and the headers of every answer. */
import { dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import { type ErrorBody, errorBody, type Reason, Refusal, refusals } from "../../shared/refusals.ts"
import { NonceWanted } from "../gate/proof-check.ts"
import { reasonOf } from "../ports/failure-reasons.ts"
import type { Logger } from "../ports/runtime.ts"

export const noStore = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const

/** A web Response that keeps its text, so that an adapter can write it at once instead of reading a stream. */
export class TextResponse extends Response {
  readonly content: string

  constructor(content: string, init: ResponseInit) {
    super(content, init)
    this.content = content
  }
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new TextResponse(JSON.stringify(body), {
    status,
    headers: { ...noStore, "content-type": "application/json", ...headers },
  })
}

/** Every error of the process becomes one row of the table in shared/refusals.ts; only the log sees the rest. */
export function refusalResponse(error: unknown, log: Logger, allow: readonly string[] = []): Response {
  const { reason, found } = reasonFor(error, log)
  const body: ErrorBody = errorBody(reason, found)
  const retryAfter = body.next.retryAfterSeconds
  return json(refusals[reason].status, body, {
    ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
    ...(error instanceof NonceWanted && { [dpopNonceHeader]: error.nonce }),
    ...(reason === "method_not_allowed" && { allow: allow.join(", ") }),
    // RFC 6749 §5.2: a 401 names a scheme by which the client may authenticate.
    ...(reason === "invalid_client" && { "www-authenticate": 'Basic realm="token", charset="UTF-8"' }),
  })
}

function reasonFor(error: unknown, log: Logger): { reason: Reason; found?: string | undefined } {
  const reason = reasonOf(error)
  if (error instanceof Refusal) {
    log.info({ reason, ...(error.detail !== undefined && { err: error.detail }) }, "refused")
    return { reason, found: error.found }
  }
  if (reason === "verification_busy") log.warn({ err: error }, "refused for want of room")
  else log.error({ err: error }, absences[reason] ?? "a request failed")
  return { reason }
}

/** Lines of the log for a dependency that does not answer. */
const absences: Partial<Record<Reason, string>> = {
  store_unavailable: "the store is away",
  signer_unavailable: "nothing can be signed",
  chain_unavailable: "the chain is away",
}
