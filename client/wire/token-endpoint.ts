/** Sends one request to a token endpoint, and repeats it until the answer is definite. */
import { dpopHeader } from "../../shared/oauth/dpop.ts"
import {
  errorBodySchema,
  pendingResponseSchema,
  type TokenResponse,
  tokenResponseSchema,
} from "../../shared/oauth/messages.ts"
import type { NextAction } from "../../shared/refusals.ts"
import { discard, readJson } from "./bodies.ts"
import type { Prover } from "./dpop.ts"
import { timeoutSignal } from "./timeout.ts"

const maxBytes = 65_536

export type Answer =
  | { readonly kind: "token"; readonly token: TokenResponse; readonly askedAt: number }
  | Pending
  /** Definite, in the service's own words. */
  | { readonly kind: "refused"; readonly action: NextAction; readonly reason: string | undefined }
  /** Definite, and outside the contract. */
  | {
      readonly kind: "odd"
      readonly code: "answer_malformed" | "answer_redirected" | "asked_to_pay_again" | "payment_conflict"
    }
  | Lost
  | Unsent

/** `fetch` threw at once, so nothing left this machine. */
export type Unsent = { readonly kind: "unsent"; readonly cause: unknown }

/** The payment is accepted and the token follows when it settles; ask again. */
export type Pending = { readonly kind: "pending"; readonly retryAfterSeconds: number }
/** Send the same message again. `declined`: the service said that it did nothing. */
export type Lost = {
  readonly kind: "lost"
  readonly declined: boolean
  readonly retryAfterSeconds: number
  /** The service's reason, if it gave one. */
  readonly reason?: string | undefined
  /** The error of `fetch`. */
  readonly cause?: unknown
}

export type ExchangeTools = {
  readonly fetch: typeof globalThis.fetch
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly delay: (seconds: number) => Promise<void>
  readonly timeoutMs: number
}

export type Message = {
  readonly url: URL
  readonly headers: Record<string, string>
  readonly body?: URLSearchParams
  /** Proves possession of a key with every request, so that the issued tokens are bound to that key. */
  readonly prover: Prover | undefined
}

/** The proof lacked the nonce that the answer brought; nothing was done (RFC 9449 §8). */
type NonceWanted = { readonly kind: "nonce_wanted" }

/**
 * A message goes to the one address that was checked, and no further: neither a payment nor a refresh token follows a
 * redirect, and no cookie or referrer of the page goes with it.
 */
export const exchangeInit = (timeoutMs: number) =>
  ({
    method: "POST",
    redirect: "manual",
    credentials: "omit",
    cache: "no-store",
    referrerPolicy: "no-referrer",
    signal: timeoutSignal(timeoutMs),
  }) as const satisfies RequestInit

/** Sends one message. Never throws: a failure on the way is an answer like the others. */
export async function exchange(message: Message, tools: ExchangeTools): Promise<Answer> {
  const first = await sendOnce(message, tools)
  if (first.kind !== "nonce_wanted") return first
  const second = await sendOnce(message, tools)
  return second.kind === "nonce_wanted" ? { kind: "lost", declined: true, retryAfterSeconds: 0 } : second
}

async function sendOnce(message: Message, tools: ExchangeTools): Promise<Answer | NonceWanted> {
  const askedAt = tools.now()
  const { url, prover } = message
  let sending: Promise<Response>
  try {
    const proof = prover && { [dpopHeader]: await prover.prove({ method: "POST", url }) }
    sending = tools.fetch(url, {
      ...exchangeInit(tools.timeoutMs),
      headers: { accept: "application/json", ...message.headers, ...proof },
      ...(message.body && { body: message.body }),
    })
  } catch (cause) {
    return { kind: "unsent", cause }
  }
  try {
    const response = await sending
    prover?.learn(url, response)
    return await interpret(response, askedAt)
  } catch (cause) {
    return { kind: "lost", declined: false, retryAfterSeconds: 0, cause }
  }
}

async function interpret(response: Response, askedAt: number): Promise<Answer | NonceWanted> {
  const { status } = response
  if (response.redirected || response.type === "opaqueredirect" || (status >= 300 && status < 400)) {
    discard(response)
    return { kind: "odd", code: "answer_redirected" }
  }
  const json = await readJson(response, maxBytes)
  if (status === 200) {
    const parsed = tokenResponseSchema.safeParse(json)
    // b64token, RFC 6750 §2.1: other characters do not fit into a header.
    return parsed.success && /^[A-Za-z0-9\-._~+/]+=*$/.test(parsed.data.access_token)
      ? { kind: "token", token: parsed.data, askedAt }
      : { kind: "odd", code: "answer_malformed" }
  }
  if (status === 202) {
    const parsed = pendingResponseSchema.safeParse(json)
    return parsed.success
      ? { kind: "pending", retryAfterSeconds: waitOf(response, askedAt, parsed.data.next.retryAfterSeconds) }
      : { kind: "lost", declined: false, retryAfterSeconds: waitOf(response, askedAt) }
  }
  if (status === 402) return { kind: "odd", code: "asked_to_pay_again" }
  if (status === 409) return { kind: "odd", code: "payment_conflict" }

  const body = errorBodySchema.safeParse(json)
  if (status === 400 && body.data?.error === "use_dpop_nonce") return { kind: "nonce_wanted" }
  const next = body.success ? body.data.next : undefined
  // The payment was taken before: it is neither lost nor declined, and buying again would pay twice.
  if (status === 503 && body.data?.reason === "settlement_delayed")
    return { kind: "pending", retryAfterSeconds: waitOf(response, askedAt, next?.retryAfterSeconds) }
  if (status === 408 || status === 429 || status >= 500 || next?.action === "retry")
    return {
      kind: "lost",
      // 429 and 503 with `next` mean that nothing was taken (docs/wire.md, "Refusals of the token endpoint").
      declined: (status === 429 || status === 503) && next?.action === "retry",
      reason: body.success ? codeOf(body.data.reason ?? body.data.error) : undefined,
      retryAfterSeconds: waitOf(response, askedAt, next?.retryAfterSeconds),
    }
  if ((status === 400 || status === 401 || status === 403) && body.success && next)
    return { kind: "refused", action: next.action, reason: codeOf(body.data.reason ?? body.data.error) }
  return { kind: "odd", code: "answer_malformed" }
}

const waitOf = (response: Response, now: number, wanted = 0): number =>
  Math.max(retryAfter(response.headers.get("retry-after"), now), wanted)

/** Seconds, or an HTTP date (RFC 9110 §10.2.3). */
function retryAfter(text: string | null, now: number): number {
  if (text === null) return 0
  if (/^[0-9]{1,9}$/.test(text)) return Number(text)
  const at = Date.parse(text)
  return Number.isNaN(at) ? 0 : Math.max(0, at / 1000 - now)
}

/** A reason is a code; free text of a stranger does not get into errors that an agent reads (CLI-21). */
export const codeOf = (text: string): string | undefined =>
  /^[a-z][a-z0-9_]{0,63}$/.test(text) ? text : undefined
