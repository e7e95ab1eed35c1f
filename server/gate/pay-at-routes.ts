/** Redeems a payment that comes to a business URL, so that the gate checks a token like any other. */

import type { PlainAnswer } from "../../shared/oauth/gate-answer.ts"
import {
  commitmentHeader,
  replayedHeader,
  secretHeader,
  tokenResponseSchema,
} from "../../shared/oauth/messages.ts"
import { type GateReason, gateRefusals, type Reason } from "../../shared/refusals.ts"
import { tokenHeader } from "../../shared/token-header.ts"
import {
  paymentHeaderV1,
  paymentResponseHeader,
  paymentResponseHeaderV1,
  paymentSignatureHeader,
} from "../../shared/x402/messages.ts"
import type { GatedRoute } from "../core/offers.ts"
import { fieldsOf, type RawHeaders } from "./raw-headers.ts"

export type Payer = {
  /** The address that the request came from, as far as trusted proxies report it. */
  readonly peer: string
  /** Aborts when nobody is there any more to read the answer. */
  readonly signal: AbortSignal
}

export type Visit = {
  readonly rawHeaders: RawHeaders
  readonly payer: Payer
  readonly gatedRoute: GatedRoute
}

export type Entry =
  /** The bought token as an Authorization value for the gate, and the headers that report the purchase. */
  | {
      readonly kind: "token"
      readonly credential: string
      readonly headers: Readonly<Record<string, string>>
    }
  /** The answer of the token endpoint that sold nothing; never a 402. */
  | { readonly kind: "answer"; readonly answer: PlainAnswer }

export type PayAtRoutes = {
  /** Undefined for a request without a payment that is taken here. */
  enter(visit: Visit): Promise<Entry> | undefined
  /**
   * The answer where the gate refuses a token that was just bought: a client signs and pays again on every 402. Undefined for
   * refusals that ask for no money.
   */
  refuse(reason: GateReason): Promise<PlainAnswer> | undefined
}

/** The token endpoint as a route asks it. */
export type RouteSales = {
  readonly tokenEndpoint: string
  readonly x402v1: boolean
  handle(
    request: Request,
    caller: {
      readonly path: string
      readonly peer: string
      readonly rawHeaders: RawHeaders
      readonly gatedRoute: GatedRoute
    },
  ): Promise<Response>
  refuse(path: string, reason: Reason): Response
}

/** Only these headers reach the token endpoint. An Idempotency-Key is the handler's, a DPoP proof is for another URL. */
const purchaseHeaders = [paymentSignatureHeader, commitmentHeader, secretHeader]

export function createPayAtRoutes({ tokenEndpoint, x402v1, handle, refuse }: RouteSales): PayAtRoutes {
  const path = new URL(tokenEndpoint).pathname
  const payments = x402v1 ? [paymentSignatureHeader, paymentHeaderV1] : [paymentSignatureHeader]
  const passedOn = [...new Set([...purchaseHeaders, ...payments])]

  async function redeem({ rawHeaders, payer, gatedRoute }: Visit): Promise<Entry> {
    const headers = passedOn.flatMap((name) =>
      fieldsOf(rawHeaders, name).map((value): [string, string] => [name, value]),
    )
    const request = new Request(tokenEndpoint, { method: "POST", headers, signal: payer.signal })
    const answer = await handle(request, { path, peer: payer.peer, rawHeaders, gatedRoute })
    if (answer.status !== 200) return { kind: "answer", answer: await plainAnswer(answer) }
    const { access_token: token } = tokenResponseSchema.parse(await answer.json())
    const reported = [paymentResponseHeader, paymentResponseHeaderV1, replayedHeader].flatMap((name) => {
      const value = answer.headers.get(name)
      return value === null ? [] : [[name, value]]
    })
    return {
      kind: "token",
      credential: `Bearer ${token}`,
      headers: { [tokenHeader]: token, ...Object.fromEntries(reported) },
    }
  }

  return {
    enter: (visit) =>
      payments.some((name) => fieldsOf(visit.rawHeaders, name).length > 0) ? redeem(visit) : undefined,
    refuse: (reason) =>
      isPaymentRefusal(reason) ? plainAnswer(refuse(path, afterPayment[reason])) : undefined,
  }
}

const plainAnswer = async (response: Response): Promise<PlainAnswer> => ({
  status: response.status,
  headers: Object.fromEntries(response.headers),
  body: await response.text(),
})

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
