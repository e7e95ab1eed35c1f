/** The events that a client emits; amounts are decimal strings of the asset. */
import type { SettlementState } from "../../shared/oauth/messages.ts"
import type { Ticket402ErrorCode } from "./errors.ts"

export type ClientEvent =
  /** A payment is about to be signed. */
  | {
      readonly type: "purchase_started"
      readonly origin: string
      readonly offer: string
      readonly scope: string
      readonly amount: string
      readonly asset: string
      readonly network: string
    }
  | {
      readonly type: "purchased"
      readonly origin: string
      readonly grant: string
      readonly scope: string
      readonly expiresAt: number
      readonly settlement: SettlementState
    }
  | {
      readonly type: "refreshed"
      readonly origin: string
      readonly grant: string
      readonly settlement: SettlementState
    }
  /** The same message is sent once more: its answer was lost, or the service could not act on it. */
  | {
      readonly type: "resent"
      readonly origin: string
      readonly what: "purchase" | "refresh" | "call"
      readonly attempt: number
    }
  /** The same message will be sent again after a wait; `reason` is the service's, such as `queue_full`. */
  | {
      readonly type: "waiting"
      readonly origin: string
      readonly what: "purchase" | "refresh" | "call"
      readonly seconds: number
      readonly reason?: string
    }
  /** A call paid by `payPerCall` is answered; `transaction` is the server's own word. */
  | {
      readonly type: "called"
      readonly origin: string
      readonly status: number
      readonly transaction?: string
    }
  /** The gate refuses a fresh token of a grant in the wallet; `clockBehindSeconds` where its clock explains that. */
  | {
      readonly type: "not_accepted"
      readonly origin: string
      readonly grant: string
      readonly clockBehindSeconds?: number
    }
  /** A call ended with a typed error. */
  | { readonly type: "refused"; readonly origin: string; readonly code: Ticket402ErrorCode }
  /** A 402 that this client does not pay was returned to the caller as it came. */
  | { readonly type: "ignored"; readonly origin: string }

/** Calls the listener; its errors are ignored, because a failing listener must not stop a payment halfway. */
export function createEmitter(
  listener: ((event: ClientEvent) => void) | undefined,
): (event: ClientEvent) => void {
  return (event) => {
    try {
      listener?.(event)
    } catch {
      // Ignored, see above.
    }
  }
}

/** Returns a listener that emits each wait with its reason. */
export const reportWait =
  (emit: (event: ClientEvent) => void, origin: string, what: "purchase" | "refresh" | "call") =>
  ({ seconds, reason }: { readonly seconds: number; readonly reason: string | undefined }): void =>
    emit({ type: "waiting", origin, what, seconds, ...(reason !== undefined && { reason }) })
