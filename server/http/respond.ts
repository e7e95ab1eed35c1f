/** Builds web Responses: JSON, refusals, and the headers of every answer. */
import { dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import { type ErrorBody, errorBody, type Reason, Refusal, refusals } from "../../shared/refusals.ts"
import { NonceWanted } from "../gate/proof-check.ts"
import { ChainMismatch, ChainUnavailable, Unwitnessed } from "../ports/chain.ts"
import { SignerUnavailable } from "../ports/keys.ts"
import { type Logger, Overloaded } from "../ports/runtime.ts"
import { StoreUnavailable } from "../ports/store.ts"

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
  if (error instanceof Refusal) {
    log.info({ reason: error.reason, ...(error.detail !== undefined && { err: error.detail }) }, "refused")
    return { reason: error.reason, found: error.found }
  }
  if (error instanceof Overloaded) {
    log.warn({ err: error }, "refused for want of room")
    return { reason: "verification_busy" }
  }
  if (error instanceof StoreUnavailable) {
    log.error({ err: error }, "the store is away")
    return { reason: "store_unavailable" }
  }
  if (error instanceof SignerUnavailable) {
    log.error({ err: error }, "nothing can be signed")
    return { reason: "signer_unavailable" }
  }
  if (error instanceof ChainUnavailable || error instanceof ChainMismatch || error instanceof Unwitnessed) {
    log.error({ err: error }, "the chain is away")
    return { reason: "chain_unavailable" }
  }
  log.error({ err: error }, "a request failed")
  return { reason: "internal" }
}
