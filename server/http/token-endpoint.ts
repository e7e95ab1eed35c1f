/** Serves `/token`: reads a POST within limits, writes the answer of the token endpoint, and shows the offers to a GET. */

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
  paymentResponseHeader,
  paymentResponseHeaderV1,
  paymentSignatureHeader,
} from "../../shared/x402/messages.ts"
import { type GatedRoute, opens } from "../core/offers.ts"
import { payableEntries } from "../core/payment-required.ts"
import { paymentOfV1, settlementOfV1 } from "../core/x402-v1.ts"
import type { PriceList } from "../feeds/price-list.ts"
import type { TokenEndpointAnswer } from "../grants/grant-type.ts"
import type { TokenEndpoint, TokenEndpointRequest } from "../grants/token-endpoint.ts"
import type { Rate } from "../ports/runtime.ts"
import { hexHeader } from "./headers.ts"
import { peerKey } from "./rate.ts"
import { readParameters } from "./read-body.ts"
import { json } from "./respond.ts"
import type { Handler } from "./router.ts"
import type { TokenOffers } from "./token-offers.ts"

export type TokenHttpOptions = {
  readonly prices: Pick<PriceList, "current">
  readonly offers: TokenOffers
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
  const { prices, offers } = options

  /** Returns the offers that a payment of x402 v1, which names none, can buy. */
  function payableIn(request: Request, gatedRoute: GatedRoute | undefined): readonly PaymentRequirements[] {
    const onSale = gatedRoute
      ? prices.current().filter((offer) => opens(offer, gatedRoute))
      : offers.named(wantedIn(request))
    return payableEntries(onSale)
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
    const resource = resourceIn(request, parameters)
    const tokenRequest = readTokenRequest(request, parameters, payment)
    if (!tokenRequest) return offers.answer({ offer: wantedIn(request), resource })
    const peer = peerKey(caller.peer)
    return tokenResponse(await endpoint({ ...tokenRequest, resource, gatedRoute, peer }), isV1)
  }
}

/**
 * Shows the offers to a GET, so that a person or a crawler that follows the link finds them. A payment in a GET is refused:
 * caches and logs treat a GET as harmless.
 */
export function createOffersHandler({ offers, peers }: Pick<TokenHttpOptions, "offers" | "peers">): Handler {
  return async function showOffers(request, { peer }) {
    await peers.take(peerKey(peer))
    if ([paymentSignatureHeader, paymentHeaderV1].some((name) => request.headers.has(name)))
      throw new Refusal("method_not_allowed")
    const shown = offers.answer({ offer: wantedIn(request), resource: resourceIn(request, new Map()) })
    shown.headers.set("allow", "POST")
    return shown
  }
}

/** The audience that a request names (RFC 8707); in the URL for clients that can set nothing else. */
function resourceIn(request: Request, parameters: ReadonlyMap<string, unknown>): string | undefined {
  const named = parameters.get("resource") ?? queryOf(request).get("resource") ?? undefined
  if (named !== undefined && typeof named !== "string")
    throw new Refusal("malformed", "Wanted resource, a string.")
  return named
}

const wantedIn = (request: Request): string | null => queryOf(request).get("offer")

function queryOf({ url }: Request): URLSearchParams {
  const start = url.indexOf("?")
  return new URLSearchParams(start < 0 ? "" : url.slice(start))
}

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
): Omit<TokenEndpointRequest, "peer" | "resource"> | undefined {
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
