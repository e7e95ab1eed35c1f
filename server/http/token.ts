/** `POST /token` over HTTP: reads the request within limits, and writes what the ticket office answers. */
import { CodecError, decodeHeader, encodeHeader } from "../../shared/codec.ts"
import { dpopHeader, dpopNonceHeader } from "../../shared/dpop.ts"
import { Refusal } from "../../shared/errors.ts"
import { JsonError } from "../../shared/json.ts"
import {
  commitmentHeader,
  idempotencyHeader,
  paymentGrantType,
  replayedHeader,
  secretHeader,
} from "../../shared/oauth.ts"
import { paymentRequiredHeader, paymentResponseHeader, paymentSignatureHeader } from "../../shared/x402.ts"
import { type Quote, quote } from "../core/quote.ts"
import type { TokenEndpointAnswer } from "../grants/grant-type.ts"
import type { Rate } from "../ports/runtime.ts"
import type { PriceList } from "../price-list.ts"
import type { TokenEndpoint, TokenEndpointRequest } from "../token.ts"
import { hexHeader } from "./headers.ts"
import { peerKey } from "./rate.ts"
import { readParameters } from "./read-body.ts"
import { json, noStore } from "./respond.ts"
import type { Handler } from "./routes.ts"

export type TokenHttpOptions = {
  readonly tokenEndpoint: string
  readonly resource: string
  readonly prices: Pick<PriceList, "offers" | "current">
  /** Requests by peer. */
  readonly peers: Rate
  /** The service is stopping: what is under way is finished, and nothing new begins. */
  readonly draining: () => boolean
  /** How long a body may take; 10 when not given. */
  readonly bodySeconds?: number | undefined
}

/** Answers, or throws what `refusalResponse` turns into an answer. */
export function createTokenHandler(endpoint: TokenEndpoint, options: TokenHttpOptions): Handler {
  const { prices } = options
  const quotes = new Map<string | undefined, Quote>()
  let priced = prices.current()

  /** What is on sale, or the one offer that `?offer=` asks for by id or reference. */
  function quoteFor(wanted: string | null): Quote {
    if (priced !== prices.current()) {
      quotes.clear()
      priced = prices.current()
    }
    const sold = prices.offers.find((offer) => offer.id === wanted || offer.ref === wanted)
    if (wanted !== null && !sold) throw new Refusal("offer_unknown")
    const offers = sold ? priced.filter((offer) => offer.ref === sold.ref) : priced
    if (offers.length === 0) throw new Refusal("price_unavailable")
    const known = quotes.get(sold?.ref)
    if (known) return known
    const made = quote({
      url: options.tokenEndpoint,
      error: "payment_missing",
      offers,
      tokenEndpoint: options.tokenEndpoint,
      resource: options.resource,
    })
    quotes.set(sold?.ref, made)
    return made
  }

  return async function token(request, caller) {
    // Before anything is read.
    if (options.draining()) throw new Refusal("shutting_down")
    await options.peers.take(peerKey(caller.peer))
    const parameters = await readParameters(request, options.bodySeconds)
    const tokenRequest = readTokenRequest(request, parameters)
    if (tokenRequest) return tokenResponse(await endpoint(tokenRequest))
    const { header, body } = quoteFor(new URL(request.url).searchParams.get("offer"))
    return new Response(body, {
      status: 402,
      headers: { ...noStore, "content-type": "application/json", [paymentRequiredHeader]: header },
    })
  }
}

/** Undefined when the request brings nothing to exchange for a token. */
function readTokenRequest(
  { headers, signal }: Request,
  parameters: Map<string, unknown>,
): TokenEndpointRequest | undefined {
  const payment = headers.get(paymentSignatureHeader)
  const grantType = parameters.get("grant_type")
  if (grantType !== undefined && typeof grantType !== "string")
    throw new Refusal("malformed", "Wanted grant_type, a string.")
  const shown = {
    authorization: headers.get("authorization") ?? undefined,
    commitment: hexHeader(headers, commitmentHeader),
    secret: hexHeader(headers, secretHeader),
    idempotencyKey: headers.get(idempotencyHeader) ?? undefined,
    signal,
    // One at most: adapters tell of a header that came twice.
    dpop: [headers.get(dpopHeader)].filter((field) => field !== null),
  }
  if (payment !== null) {
    if (parameters.has("payment") || (grantType !== undefined && grantType !== paymentGrantType))
      throw new Refusal("malformed", "Found a payment header and another grant in one request.")
    return {
      ...shown,
      grantType: paymentGrantType,
      parameters: new Map([...parameters, ["payment", decodePayment(payment)]]),
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

function tokenResponse(answer: TokenEndpointAnswer): Response {
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
    ...(settlement && { [paymentResponseHeader]: encodeHeader(settlement) }),
  })
}
