/** A payment at a business URL: redeemed at the ticket office, so that the gate is shown a token like any other. */

import {
  commitmentHeader,
  replayedHeader,
  secretHeader,
  tokenHeader,
  tokenResponseSchema,
} from "../../shared/oauth/messages.ts"
import { type GateReason, gateRefusals, type Reason } from "../../shared/refusals.ts"
import {
  paymentHeaderV1,
  paymentResponseHeader,
  paymentResponseHeaderV1,
  paymentSignatureHeader,
} from "../../shared/x402/messages.ts"
import type { GatedRoute } from "../core/offers.ts"
import type { Caller, Router } from "./router.ts"

export type Visit = {
  readonly header: (name: string) => string | undefined
  readonly caller: Pick<Caller, "peer" | "repeated">
  readonly gatedRoute: GatedRoute
  /** Aborts when nobody is there any more to hear the answer. */
  readonly signal: AbortSignal
}

export type Entry =
  /** What was bought: an Authorization for the gate, and what the answer tells of it, however the call ends. */
  | {
      readonly kind: "token"
      readonly credential: string
      readonly headers: Readonly<Record<string, string>>
    }
  /** What the office said instead; never a 402. */
  | { readonly kind: "answer"; readonly answer: Response }

export type PayAtRoutes = {
  /** Undefined for a request without a payment that is taken here. */
  enter(visit: Visit): Promise<Entry> | undefined
  /**
   * The answer where the gate refuses what was just paid for: a client signs and pays again on every 402. Undefined for
   * refusals that ask for no money.
   */
  refuse(reason: GateReason): Response | undefined
}

/** Of the request only these reach the office. An Idempotency-Key is the handler's, a DPoP proof is for another URL. */
const purchaseHeaders = [paymentSignatureHeader, commitmentHeader, secretHeader]

export function createPayAtRoutes(
  router: Router,
  { tokenEndpoint, x402v1 }: { readonly tokenEndpoint: string; readonly x402v1: boolean },
): PayAtRoutes {
  const path = new URL(tokenEndpoint).pathname
  const payments = x402v1 ? [paymentSignatureHeader, paymentHeaderV1] : [paymentSignatureHeader]
  const passedOn = [...new Set([...purchaseHeaders, ...payments])]

  async function enter({ header, caller, gatedRoute, signal }: Visit): Promise<Entry> {
    const headers = passedOn.flatMap((name) => {
      const value = header(name)
      return value === undefined ? [] : [[name, value] as [string, string]]
    })
    const request = new Request(tokenEndpoint, { method: "POST", headers, signal })
    const answer = await router.handle(request, { ...caller, path, gatedRoute })
    if (answer.status !== 200) return { kind: "answer", answer }
    const { access_token: token } = tokenResponseSchema.parse(await answer.json())
    const told = [paymentResponseHeader, paymentResponseHeaderV1, replayedHeader].flatMap((name) => {
      const value = answer.headers.get(name)
      return value === null ? [] : [[name, value]]
    })
    return {
      kind: "token",
      credential: `Bearer ${token}`,
      headers: { [tokenHeader]: token, ...Object.fromEntries(told) },
    }
  }

  return {
    enter: (visit) => (payments.some((name) => visit.header(name) !== undefined) ? enter(visit) : undefined),
    refuse: (reason) => (isPaymentRefusal(reason) ? router.refuse(path, afterPayment[reason]) : undefined),
  }
}

type PaymentRefusal = {
  [reason in GateReason]: (typeof gateRefusals)[reason]["status"] extends 402 ? reason : never
}[GateReason]

const isPaymentRefusal = (reason: GateReason): reason is PaymentRefusal => gateRefusals[reason].status === 402

const afterPayment: Readonly<Record<PaymentRefusal, Reason>> = {
  // The gate was shown a token and no payment.
  token_missing: "internal",
  pay_at_token_endpoint: "internal",
  token_expired: "grant_over",
  grant_over: "grant_over",
  settlement_failed: "settlement_failed",
  token_exhausted: "grant_used_up",
  insufficient_scope: "offer_elsewhere",
}
