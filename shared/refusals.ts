/** Lists every refusal of the service, with its HTTP status, its OAuth error code and the next step of a client. */

/** The next step of a client. Clients act on this and never on text (docs/wire.md). */
export type NextAction = "buy" | "retry" | "refresh" | "fix" | "stop"

export type RefusalRow = {
  readonly status: number
  /** RFC 6749 §5.2 / RFC 6750 §3.1 error code. */
  readonly error: string
  readonly action: NextAction
  /** One public sentence, in the characters that RFC 6749 §5.2 allows. */
  readonly description: string
  /** Sent as `Retry-After` and in `next`. */
  readonly retryAfterSeconds?: number
}

/** A null `error`: the challenge has no error attribute. */
type GateRow = Omit<RefusalRow, "error"> & { readonly error: string | null }

const grant = (action: NextAction, description: string): RefusalRow => ({
  status: 400,
  error: "invalid_grant",
  action,
  description,
})
const away = (retryAfterSeconds: number, description: string): RefusalRow => ({
  status: 503,
  error: "temporarily_unavailable",
  action: "retry",
  description,
  retryAfterSeconds,
})
const request = (status: number, description: string): RefusalRow => ({
  status,
  error: "invalid_request",
  action: "fix",
  description,
})

/** Refusals of the token endpoint and of the other endpoints that speak JSON errors. */
export const refusals = {
  malformed: request(400, "The request is malformed."),
  payment_malformed: request(400, "The payment does not have the form of an x402 v2 payment."),
  method_not_allowed: request(405, "This endpoint does not have that method."),
  not_found: request(404, "There is no such endpoint."),
  body_too_large: request(413, "The body is larger than this endpoint reads."),
  body_timeout: request(408, "The body did not arrive in time."),
  media_type_unsupported: request(
    415,
    "The body must be application/json or application/x-www-form-urlencoded in UTF-8.",
  ),
  grant_type_unsupported: {
    status: 400,
    error: "unsupported_grant_type",
    action: "fix",
    description: "This grant type is not supported.",
  },

  amount_mismatch: grant("fix", "The signed amount is not the price of the offer."),
  amount_below_minimum: grant("stop", "The price of the offer is below the present cost of its settlement."),
  asset_mismatch: grant("fix", "The payment names another asset than the offer."),
  network_mismatch: grant("fix", "The payment names another network than the offer."),
  recipient_mismatch: grant("fix", "The payment goes to another recipient than the offer names."),
  scheme_mismatch: grant("fix", "The payment uses another scheme than the offer."),
  offer_unknown: grant("fix", "The payment names no offer of this service."),
  offer_elsewhere: grant(
    "fix",
    "The offer of this payment does not open this resource. Send the payment to the token endpoint.",
  ),
  offer_expired: grant("fix", "The offer was replaced and its price has expired."),
  quote_invalid: grant("fix", "The payment contains no price quote of this service for the offer."),
  quote_expired: grant(
    "fix",
    "The price quote had expired when the payment was signed. Ask for the price again.",
  ),
  commitment_mismatch: grant("fix", "The commitment does not open the nonce of the payment."),
  signature_invalid: grant("fix", "The signature is not the payer's."),
  signature_not_canonical: grant("fix", "The signature must have 65 bytes, a low s, and v 27 or 28."),
  validity_too_short: grant("fix", "The payment expires too early to be settled."),
  validity_too_long: grant("fix", "The payment is valid for longer than this service accepts."),
  not_yet_valid: grant("fix", "The payment is not valid yet."),
  payer_unacceptable: grant("stop", "This payer cannot pay here."),
  sale_refused: grant("stop", "The seller refuses this sale."),
  sale_undecided: away(5, "The seller has not decided on this sale. Send the same payment again later."),
  insufficient_funds: grant(
    "stop",
    "The payer's balance does not cover this payment and those still pending.",
  ),
  authorization_used: grant("stop", "The nonce of the payment is already used or cancelled on chain."),
  payment_on_chain: {
    ...grant(
      "retry",
      "The payment is on the chain already. Its owner sends it again, with the secret, until it is confirmed.",
    ),
    retryAfterSeconds: 2,
  },
  simulation_failed: grant("stop", "The asset refuses this transfer."),
  settlement_failed: grant("stop", "The payment of this grant could not be settled."),
  settlement_delayed: away(
    5,
    "The payment of this grant is accepted, and its settlement is delayed. Nothing more is to be paid. Send the same request again later.",
  ),
  refresh_token_invalid: grant("buy", "The refresh token is not from this service."),
  refresh_token_reused: grant("buy", "An old refresh token was used again; the grant has ended."),
  grant_over: grant("buy", "The grant has ended."),
  grant_used_up: grant("buy", "The calls of the grant are used up."),
  refresh_token_stale: grant("refresh", "This grant has a newer refresh token. Use that one."),
  offer_smaller: grant(
    "fix",
    "The offer neither extends the grant nor covers its scope at a higher price. Buy it as a grant of its own.",
  ),
  top_up_refused: grant("buy", "This grant cannot be topped up, because nothing was paid for it."),
  grant_full: grant("stop", "The payment would make the grant larger than a grant may be."),
  token_derived: grant(
    "stop",
    "The token was derived from another token. No further token can be derived from it.",
  ),
  too_many_derived: grant("stop", "Too many tokens were derived from this grant in the last hour."),
  grant_revoked: grant("stop", "The grant was revoked."),
  grant_lost: grant(
    "stop",
    "The service has no record of this sale: it was restored from a backup, or the payment was settled elsewhere. Contact the operator.",
  ),

  invalid_client: {
    status: 401,
    error: "invalid_client",
    action: "fix",
    description: "The client is unknown, or its secret is wrong.",
  },
  invalid_scope: {
    status: 400,
    error: "invalid_scope",
    action: "fix",
    description: "The client may not have this scope.",
  },
  invalid_target: {
    status: 400,
    error: "invalid_target",
    action: "fix",
    description: "This service sells no tokens for that resource.",
  },
  subject_token_invalid: {
    status: 400,
    error: "invalid_request",
    action: "refresh",
    description: "The subject token is not a valid token of this service.",
  },
  access_denied: {
    status: 403,
    error: "access_denied",
    action: "stop",
    description: "The caller is no longer on the whitelist.",
  },

  wallet_proof_refused: grant(
    "buy",
    "The account is not on the whitelist, or did not sign this statement, or the nonce is used or too old.",
  ),

  dpop_proof_invalid: {
    status: 400,
    error: "invalid_dpop_proof",
    action: "fix",
    description: "The DPoP proof does not prove the possession of a key for this request.",
  },
  dpop_nonce_wanted: {
    status: 400,
    error: "use_dpop_nonce",
    action: "retry",
    description: "The DPoP proof must contain the nonce of this answer.",
  },
  dpop_required: {
    status: 400,
    error: "invalid_dpop_proof",
    action: "fix",
    description: "Tokens of this offer are bound to a key. Send a DPoP proof with the payment.",
  },
  dpop_key_mismatch: grant("fix", "The grant is bound to a key. Send a DPoP proof by that key."),

  grant_unknown: {
    status: 404,
    error: "invalid_grant",
    action: "retry",
    description: "No grant matches this proof. If you sent a payment, send the same payment again.",
  },
  proof_missing: {
    status: 401,
    error: "invalid_token",
    action: "fix",
    description: "The request needs an access token, a secret or an idempotency key of the grant.",
  },

  receipt_pending: {
    status: 409,
    error: "temporarily_unavailable",
    action: "retry",
    description: "The payment is not settled yet. Ask for the receipt again later.",
    retryAfterSeconds: 5,
  },
  receipt_none: {
    status: 404,
    error: "invalid_grant",
    action: "stop",
    description: "Nothing was paid for this grant.",
  },

  authorization_conflict: {
    status: 409,
    error: "authorization_conflict",
    action: "stop",
    description:
      "This payment was already redeemed, and the request does not prove that it comes from the owner.",
  },
  idempotency_conflict: {
    status: 409,
    error: "authorization_conflict",
    action: "stop",
    description: "This Idempotency-Key belongs to another payment.",
  },
  top_up_pending: {
    status: 429,
    error: "temporarily_unavailable",
    action: "retry",
    description: "Another payment for this grant is not settled yet. Send the same payment again later.",
    retryAfterSeconds: 5,
  },
  queue_full: {
    status: 429,
    error: "temporarily_unavailable",
    action: "retry",
    description: "Too many payments are waiting for settlement. Send the same payment again later.",
    retryAfterSeconds: 5,
  },
  rate_limited: {
    status: 429,
    error: "temporarily_unavailable",
    action: "retry",
    description: "Too many requests. Send the same payment again later.",
    retryAfterSeconds: 10,
  },
  verification_busy: {
    status: 429,
    error: "temporarily_unavailable",
    action: "retry",
    description: "Too many payments are being verified. Send the same payment again.",
    retryAfterSeconds: 1,
  },
  store_unavailable: away(
    1,
    "The service cannot reach its records now. Send the same payment or request again.",
  ),
  revocation_unrecorded: away(
    1,
    "The service cannot record a revocation now. Assume that the token is still valid, and send it again.",
  ),
  chain_unavailable: away(2, "The service cannot read the chain now. Send the same payment again."),
  signer_unavailable: away(2, "The service cannot sign tokens now. Send the same payment again."),
  contract_payers_paused: away(
    600,
    "Payments of contract wallets that have not paid here before wait for an hour. Send the same payment again later.",
  ),
  asset_unavailable: away(
    30,
    "The asset does not accept payments to this service now. Nothing was charged. Send the same payment again later.",
  ),
  relayer_unfunded: away(30, "The service cannot settle payments now. Send the same payment again later."),
  price_unavailable: away(5, "The offer has no price now. Nothing was charged. Ask again."),
  recovering: away(
    5,
    "The service is comparing its books with the chain before it sells. Send the same payment again later.",
  ),
  misconfigured: away(
    30,
    "The service is not set up correctly and sells nothing now. Nothing was charged. Send the same payment again later.",
  ),
  shutting_down: away(2, "The service is stopping. Send the same payment again."),
  body_parsed: {
    status: 500,
    error: "server_error",
    action: "retry",
    description:
      "The service cannot read request bodies, because other middleware has read them. Nothing was charged.",
  },
  internal: {
    status: 500,
    error: "server_error",
    action: "retry",
    description: "The service failed. Send the same payment again.",
    retryAfterSeconds: 2,
  },
} as const satisfies Record<string, RefusalRow>

export type Reason = keyof typeof refusals

/**
 * The refusals of the gate. A null `error` means that the challenge has no error attribute, because the request had no
 * credential (RFC 6750 §3.1).
 */
export const gateRefusals = {
  token_missing: { status: 402, error: null, action: "buy", description: "A token is needed." },
  pay_at_token_endpoint: {
    status: 402,
    error: null,
    action: "buy",
    description: "Payments are accepted at the token endpoint only.",
  },
  token_expired: {
    status: 402,
    error: "invalid_token",
    action: "refresh",
    description: "The token has expired.",
  },
  settlement_failed: {
    status: 402,
    error: "invalid_token",
    action: "buy",
    description: "The payment behind the token could not be settled.",
  },
  settlement_delayed: {
    status: 503,
    error: "temporarily_unavailable",
    action: "retry",
    description: "The settlement of the payment behind the token is delayed. Nothing more is to be paid.",
    retryAfterSeconds: 5,
  },
  grant_over: {
    status: 402,
    error: "invalid_token",
    action: "buy",
    description: "The grant of the token has ended.",
  },
  token_exhausted: {
    status: 402,
    error: "invalid_token",
    action: "buy",
    description: "The grant of the token has too few units left for this call.",
  },
  insufficient_scope: {
    status: 402,
    error: "insufficient_scope",
    action: "buy",
    description: "The token does not cover this resource.",
  },
  token_invalid: {
    status: 401,
    error: "invalid_token",
    action: "stop",
    description: "The token is not for this service.",
  },
  token_revoked: {
    status: 401,
    error: "invalid_token",
    action: "stop",
    description: "The token was revoked.",
  },
  dpop_missing: {
    status: 401,
    error: "invalid_token",
    action: "fix",
    description: "The token is bound to a key. Send it as DPoP, with a proof.",
  },
  dpop_unbound: {
    status: 401,
    error: "invalid_token",
    action: "fix",
    description: "The token is not bound to a key. Send it as Bearer.",
  },
  dpop_proof_invalid: {
    status: 401,
    error: "invalid_dpop_proof",
    action: "fix",
    description: "The DPoP proof does not match this request, token and time, or was used before.",
  },
  dpop_nonce_wanted: {
    status: 401,
    error: "use_dpop_nonce",
    action: "retry",
    description: "The DPoP proof must contain the nonce of this answer.",
  },
  token_ambiguous: {
    status: 400,
    error: "invalid_request",
    action: "fix",
    description: "Send exactly one token, in one header.",
  },
  host_ambiguous: {
    status: 400,
    error: "invalid_request",
    action: "fix",
    description: "Send exactly one Host header.",
  },
  too_many_requests: {
    status: 429,
    error: "temporarily_unavailable",
    action: "retry",
    description: "Too many requests with this token.",
    retryAfterSeconds: 10,
  },
  price_unavailable: {
    status: 503,
    error: "temporarily_unavailable",
    action: "retry",
    description: "The resource has no price now.",
    retryAfterSeconds: 5,
  },
  token_endpoint_unserved: {
    status: 503,
    error: "temporarily_unavailable",
    action: "retry",
    description: "Nothing can be bought now, because the token endpoint is not where it is advertised.",
    retryAfterSeconds: 60,
  },
  token_not_yet_valid: {
    status: 503,
    error: "temporarily_unavailable",
    action: "retry",
    description:
      "The token was issued later than this server's clock says. The clocks of the server and the issuer differ.",
    retryAfterSeconds: 5,
  },
  gate_unavailable: {
    status: 503,
    error: "temporarily_unavailable",
    action: "retry",
    description: "The service cannot check tokens now.",
    retryAfterSeconds: 1,
  },
} as const satisfies Record<string, GateRow>

export type GateReason = keyof typeof gateRefusals

/** The JSON body of every refusal except the 402. */
export type ErrorBody = {
  error: string
  error_description: string
  reason?: string
  next: { action: NextAction; retryAfterSeconds?: number }
}

/** Thrown inside the service to refuse a request; `detail` goes to the log, never to the client. */
export class Refusal extends Error {
  readonly reason: Reason
  /** A public addition to the sentence of the table: the value found and the value wanted. */
  readonly found: string | undefined
  readonly detail: unknown

  constructor(reason: Reason, found?: string, detail?: unknown) {
    super(reason)
    this.name = "Refusal"
    this.reason = reason
    this.found = found
    this.detail = detail
  }
}

/** Returns the body of a refusal. */
export const errorBody = (reason: Reason, found?: string): ErrorBody =>
  bodyOf(reason, refusals[reason], found)

/** Returns the body of an answer of the gate without offers. */
export const gateErrorBody = (reason: GateReason, found?: string): ErrorBody =>
  bodyOf(reason, gateRefusals[reason], found)

function bodyOf(reason: string, row: GateRow, found?: string): ErrorBody {
  return {
    error: row.error ?? reason,
    error_description: printable(found === undefined ? row.description : `${row.description} ${found}`),
    reason,
    next: {
      action: row.action,
      ...(row.retryAfterSeconds !== undefined && { retryAfterSeconds: row.retryAfterSeconds }),
    },
  }
}

/** Keeps to the characters of an error_description, %x20-21 / %x23-5B / %x5D-7E (RFC 6749 §5.2). */
export function printable(text: string): string {
  return text
    .replace(/"/g, "'")
    .replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "?")
    .slice(0, 300)
}
