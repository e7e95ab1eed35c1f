/** Serves `POST /token`: reads the request within limits, and writes the answer of the token endpoint. */

import { dpopHeader, dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import {
  commitmentHeader,
  idempotencyHeader,
  paymentGrantType,
  replayedHeader,
  secretHeader,
} from "../../shared/oauth/messages.ts"
import { Refusal } from "../../shared/refusals.ts"
import { CodecError, decodeHeader, encodeHeader } from "../../shared/values/codec.ts"
import { JsonError } from "../../shared/values/json.ts"
import {
  type PaymentRequirements,
  paymentHeaderV1,
  paymentRequiredHeader,
  paymentResponseHeader,
  paymentResponseHeaderV1,
  paymentSignatureHeader,
} from "../../shared/x402/messages.ts"
import { type GatedRoute, opens } from "../core/offers.ts"
import { createPaymentRequired, type PaymentRequiredForms, payableEntries } from "../core/payment-required.ts"
import type { PricedOffer } from "../core/pricing.ts"
import { bodyV1, paymentOfV1, settlementOfV1 } from "../core/x402-v1.ts"
import type { PriceList } from "../feeds/price-list.ts"
import type { TokenEndpointAnswer } from "../grants/grant-type.ts"
import type { TokenEndpoint, TokenEndpointRequest } from "../grants/token-endpoint.ts"
import type { Rate } from "../ports/runtime.ts"
import { hexHeader } from "./headers.ts"
import { peerKey } from "./rate.ts"
import { readParameters } from "./read-body.ts"
import { json, noStore } from "./respond.ts"
import type { Handler } from "./router.ts"

export type TokenHttpOptions = {
  readonly tokenEndpoint: string
  readonly resource: string
  readonly prices: Pick<PriceList, "offers" | "current">
  /** Requests by peer. */
  readonly peers: Rate
  /** True while the service stops: it finishes requests under way and begins no new ones. */
  readonly draining: () => boolean
  /** How long a body may take; 10 when not given. */
  readonly bodySeconds?: number | undefined
  /** Clients of x402 v1 may buy. */
  readonly x402v1: boolean
}

/** Answers, or throws what `refusalResponse` turns into an answer. */
export function createTokenHandler(endpoint: TokenEndpoint, options: TokenHttpOptions): Handler {
  const { prices } = options
  const quotes = new Map<string | null, PaymentRequiredForms>()
  let priced = prices.current()

  /** Returns the offers on sale now, or the one that `?offer=` names by id or reference. */
  function offersNamed(wanted: string | null): readonly PricedOffer[] {
    const sold = prices.offers.find((offer) => offer.id === wanted || offer.ref === wanted)
    if (wanted !== null && !sold) throw new Refusal("offer_unknown")
    const offers = sold ? prices.current().filter(({ ref }) => ref === sold.ref) : prices.current()
    if (offers.length === 0) throw new Refusal("price_unavailable")
    return offers
  }

  function quoteFor(wanted: string | null): PaymentRequiredForms {
    if (priced !== prices.current()) {
      quotes.clear()
      priced = prices.current()
    }
    const known = quotes.get(wanted)
    if (known) return known
    const offers = offersNamed(wanted)
    const terms = { url: options.tokenEndpoint, error: "payment_missing" }
    const { header, body } = createPaymentRequired({
      ...terms,
      offers,
      tokenEndpoint: options.tokenEndpoint,
      resource: options.resource,
    })
    const v1 = options.x402v1 ? bodyV1({ ...terms, accepts: payableEntries(offers) }) : undefined
    const made = { header, body: v1 ?? body }
    quotes.set(wanted, made)
    return made
  }

  /** Returns the offers that a payment of x402 v1, which names none, can buy. */
  function payableIn(request: Request, gatedRoute: GatedRoute | undefined): readonly PaymentRequirements[] {
    const offers = gatedRoute
      ? prices.current().filter((offer) => opens(offer, gatedRoute))
      : offersNamed(wantedIn(request))
    return payableEntries(offers)
  }

  return async function token(request, caller) {
    // Before anything is read.
    if (options.draining()) throw new Refusal("shutting_down")
    await options.peers.take(peerKey(caller.peer))
    const parameters = await readParameters(request, options.bodySeconds)
    const { gatedRoute } = caller
    const carried = carriedPayment(request.headers, options.x402v1)
    const isV1 = carried?.version === 1
    const payment = isV1 ? paymentOfV1(carried.payment, payableIn(request, gatedRoute)) : carried?.payment
    const tokenRequest = readTokenRequest(request, parameters, payment)
    if (tokenRequest)
      return tokenResponse(await endpoint({ ...tokenRequest, gatedRoute, peer: peerKey(caller.peer) }), isV1)
    const { header, body } = quoteFor(wantedIn(request))
    return new Response(body, {
      status: 402,
      headers: { ...noStore, "content-type": "application/json", [paymentRequiredHeader]: header },
    })
  }
}

const wantedIn = (request: Request): string | null => new URL(request.url).searchParams.get("offer")

/** The payment in the header of either version, decoded. */
function carriedPayment(
  headers: Headers,
  x402v1: boolean,
): { readonly version: 1 | 2; readonly payment: unknown } | undefined {
  const header = headers.get(paymentSignatureHeader)
  const headerV1 = x402v1 ? headers.get(paymentHeaderV1) : null
  if (header !== null && headerV1 !== null)
    throw new Refusal("malformed", "Found the payment headers of two versions of x402.")
  if (header !== null) return { version: 2, payment: decodePayment(header) }
  return headerV1 === null ? undefined : { version: 1, payment: decodePayment(headerV1) }
}

/** Undefined when the request brings nothing to exchange for a token. */
function readTokenRequest(
  { headers, signal }: Request,
  parameters: Map<string, unknown>,
  payment: unknown,
): Omit<TokenEndpointRequest, "peer"> | undefined {
  const grantType = parameters.get("grant_type")
  if (grantType !== undefined && typeof grantType !== "string")
    throw new Refusal("malformed", "Wanted grant_type, a string.")
  const shown = {
    authorization: headers.get("authorization") ?? undefined,
    commitment: hexHeader(headers, commitmentHeader),
    secret: hexHeader(headers, secretHeader),
    idempotencyKey: headers.get(idempotencyHeader) ?? undefined,
    signal,
    // One at most: the router refuses a header that came twice.
    dpop: [headers.get(dpopHeader)].filter((field) => field !== null),
  }
  if (payment !== undefined) {
    if (parameters.has("payment") || (grantType !== undefined && grantType !== paymentGrantType))
      throw new Refusal("malformed", "Found a payment header and another grant in one request.")
    return {
      ...shown,
      grantType: paymentGrantType,
      parameters: new Map([...parameters, ["payment", payment]]),
    }
  }
  return grantType === undefined ? undefined : { ...shown, grantType, parameters }
}

function decodePayment(header: string): unknown {
  try {
    return decodeHeader(header)
  } catch (error) {
    if (error instanceof CodecError || error instanceof JsonError)
      throw new Refusal("payment_malformed", `In the header: ${error.message}.`)
    throw error
  }
}

function tokenResponse(answer: TokenEndpointAnswer, isV1: boolean): Response {
  const { freshNonce } = answer
  const nonce = freshNonce !== undefined && { [dpopNonceHeader]: freshNonce }
  if (answer.kind === "pending")
    return json(202, answer.body, {
      pragma: "no-cache",
      "retry-after": String(answer.body.next.retryAfterSeconds),
      ...nonce,
    })
  const { body, replayed, settlement } = answer
  return json(200, body, {
    pragma: "no-cache",
    ...nonce,
    ...(replayed && { [replayedHeader]: "true" }),
    ...(settlement && isV1 && { [paymentResponseHeaderV1]: encodeHeader(settlementOfV1(settlement)) }),
    ...(settlement && !isV1 && { [paymentResponseHeader]: encodeHeader(settlement) }),
  })
}
