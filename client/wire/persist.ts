/** Sends a message again until its answer is definite. */
import type { ExchangeTools, Lost, Pending } from "./token-endpoint.ts"

const firstWaitSeconds = 0.25
const longestWaitSeconds = 8
/** A service that did nothing and asks for a longer wait, as without gas, is reported at once. */
const longestDeclinedSeconds = 10

export type Attempts<A> = {
  readonly send: () => Promise<A | Pending | Lost>
  /** The last instant, in seconds, at which the next sending may come. */
  readonly until: number
  /** The same once the service has taken the payment. */
  readonly pendingUntil?: number
  /** Called before each wait. */
  readonly onWait?: (wait: { readonly seconds: number; readonly reason: string | undefined }) => void
}

/**
 * Sends until the answer is definite, until the time is up, or until the service asks for a wait that is too long for a
 * call. The answer carries the service's last reason, and what `fetch` threw last.
 */
export async function persist<A extends { readonly kind: string }>(
  { send, until, pendingUntil = until, onWait }: Attempts<A>,
  tools: Pick<ExchangeTools, "now" | "random" | "delay">,
): Promise<{ readonly answer: A | Pending | Lost; readonly uncertain: boolean }> {
  let uncertain = false
  let last: Pick<Lost, "reason" | "cause"> = {}
  for (let attempt = 0; ; attempt++) {
    const sent = await send()
    if (!isOpen(sent)) return { answer: sent, uncertain }
    const answer = sent.kind === "lost" ? { ...sent, ...mergeTrouble(last, sent) } : sent
    if (answer.kind === "lost") {
      uncertain ||= !answer.declined
      last = answer
    }
    const seconds = Math.max(answer.retryAfterSeconds, backoff(attempt, tools.random))
    const end = answer.kind === "pending" ? pendingUntil : until
    const isTooLong = answer.kind === "lost" && answer.declined && seconds > longestDeclinedSeconds
    if (isTooLong || tools.now() + seconds >= end) return { answer, uncertain }
    onWait?.({ seconds, reason: answer.kind === "lost" ? answer.reason : undefined })
    await tools.delay(seconds)
  }
}

const mergeTrouble = (before: Pick<Lost, "reason" | "cause">, now: Lost): Pick<Lost, "reason" | "cause"> => ({
  reason: now.reason ?? before.reason,
  cause: now.cause ?? before.cause,
})

const isOpen = (answer: { readonly kind: string }): answer is Pending | Lost =>
  answer.kind === "lost" || answer.kind === "pending"

/** Doubling, between half and the whole of it, so that many clients do not come back together. */
function backoff(attempt: number, random: (length: number) => Uint8Array): number {
  const full = Math.min(firstWaitSeconds * 2 ** attempt, longestWaitSeconds)
  return full * (0.5 + (random(1)[0] ?? 0) / 512)
}

/** The details of an unanswered message for its error. */
export const troubleOf = (answer: {
  readonly kind: string
  readonly reason?: string | undefined
  readonly cause?: unknown
}): { readonly reason?: string; readonly cause?: unknown } => ({
  ...(answer.reason !== undefined && { reason: answer.reason }),
  ...(answer.cause !== undefined && { cause: answer.cause }),
})
