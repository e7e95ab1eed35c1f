/** Every refusal ticket402 can give, in one table: reason → HTTP status, OAuth error code, what the client should do. */

/** What a client does next. Clients act on this and never on text (wire.md §2). */
export type NextAction = "buy" | "retry" | "refresh" | "fix" | "stop"

export type RefusalRow = {
  readonly status: number
  /** RFC 6749 §5.2 / RFC 6750 §3.1 error code. */
  readonly error: string
  readonly action: NextAction
  /** One public sentence, limited to the characters RFC 6749 §5.2 allows. */
  readonly description: string
  /** Sent as `Retry-After` and in `next`. */
  readonly retryAfterSeconds?: number
}

/** `error` null: the challenge carries none. */
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
  amount_below_minimum: grant("stop", "The price of the offer is less than what its settlement costs now."),
  asset_mismatch: grant("fix", "The payment names another asset than the offer."),
  network_mismatch: grant("fix", "The payment names another network than the offer."),
  recipient_mismatch: grant("fix", "The payment goes to another recipient than the offer names."),
  scheme_mismatch: grant("fix", "The payment uses another scheme than the offer."),
  offer_unknown: grant("fix", "The payment names no offer of this service."),
  offer_elsewhere: grant(
    "fix",
    "What this payment buys does not open this resource. Send it to the token endpoint.",
  ),
  offer_expired: grant("fix", "The offer was replaced and its price no longer holds."),
  quote_invalid: grant("fix", "The payment brings no quote that this service made for the offer."),
  quote_expired: grant(
    "fix",
    "The quote of the payment was over when it was signed. Ask for the price again.",
  ),
  commitment_mismatch: grant("fix", "The commitment does not open the nonce of the payment."),
  signature_invalid: grant("fix", "The signature is not the payer's."),
  signature_not_canonical: grant("fix", "The signature must have 65 bytes, a low s, and v 27 or 28."),
  validity_too_short: grant("fix", "The payment expires before it could be settled."),
  validity_too_long: grant("fix", "The payment stays valid for longer than this service accepts."),
  not_yet_valid: grant("fix", "The payment is not valid yet."),
  payer_unacceptable: grant("stop", "This payer cannot pay here."),
  insufficient_funds: grant(
    "stop",
    "The payer's balance does not cover this payment and those still pending.",
  ),
  authorization_used: grant("stop", "The nonce of the payment is already used or cancelled on chain."),
  simulation_failed: grant("stop", "The asset refuses this transfer."),
  settlement_failed: grant("stop", "The payment of this grant could not be settled."),
  refresh_token_invalid: grant("buy", "The refresh token is not one of this service."),
  refresh_token_reused: grant("buy", "An old refresh token was used again; the grant has ended."),
  grant_over: grant("buy", "The grant is over."),
  grant_used_up: grant("buy", "All that the grant was good for is used."),
  refresh_token_stale: grant("refresh", "There is a newer refresh token of this grant. Use that."),
  offer_smaller: grant(
    "fix",
    "The offer is neither more of what the grant is, nor dearer with all of its scope: buy it by itself.",
  ),
  top_up_refused: grant("buy", "This grant takes no further payment, since nothing was paid for it."),
  grant_full: grant("stop", "The grant would become larger than one may be."),
  token_derived: grant("stop", "The token was derived from another, and yields no further one."),
  too_many_derived: grant("stop", "So many tokens were derived from this grant in the last hour."),
  grant_revoked: grant("stop", "The grant was revoked."),
  grant_lost: grant(
    "stop",
    "The service has no record of this sale: it was restored from a backup, or the payment was settled elsewhere. Ask the operator.",
  ),

  invalid_client: {
    status: 401,
    error: "invalid_client",
    action: "fix",
    description: "The client is not known here, or its secret is wrong.",
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
    description: "Tokens of this service are for its own resource only.",
  },
  subject_token_invalid: {
    status: 400,
    error: "invalid_request",
    action: "refresh",
    description: "The subject token is not a living token of this service.",
  },
  access_denied: {
    status: 403,
    error: "access_denied",
    action: "stop",
    description: "The whitelist no longer lets this caller in.",
  },

  wallet_proof_refused: grant(
    "buy",
    "The statement does not let this account in: it is not listed, or did not sign this, or the nonce was used or is too old.",
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
    description: "The DPoP proof must contain the nonce that this answer brings.",
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
    description: "There is no grant for this proof. If a payment was sent, send the same one again.",
  },
  proof_missing: {
    status: 401,
    error: "invalid_token",
    action: "fix",
    description:
      "Wanted an access token, a secret or an idempotency key that shows whose grant is asked for.",
  },

  receipt_pending: {
    status: 409,
    error: "temporarily_unavailable",
    action: "retry",
    description: "The payment is not settled yet. Its receipt comes with the settlement.",
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
    description: "This payment was already redeemed, and the request does not prove to come from its owner.",
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
    description: "Too many payments wait for settlement. Send the same payment again later.",
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
    "The service cannot record a revocation now: assume that the token still lives, and send it again.",
  ),
  chain_unavailable: away(2, "The service cannot read the chain now. Send the same payment again."),
  signer_unavailable: away(2, "The service cannot sign tokens now. Send the same payment again."),
  relayer_unfunded: away(30, "The service cannot settle payments now. Send the same payment again later."),
  price_unavailable: away(5, "What is asked for has no price now. Nothing was charged; ask again."),
  recovering: away(
    5,
    "The service compares its books with the chain before it sells. Send the same payment again later.",
  ),
  shutting_down: away(2, "The service is stopping. Send the same payment again."),
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
 * What the gate says of a request it does not let in (wire.md §1). `error` null means that the challenge carries no
 * error attribute, because no credential was presented (RFC 6750 §3.1).
 */
export const gateRefusals = {
  token_missing: { status: 402, error: null, action: "buy", description: "A token is needed." },
  pay_at_token_endpoint: {
    status: 402,
    error: null,
    action: "buy",
    description: "Payments are taken at the token endpoint only.",
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
    description: "The grant of the token has too little left for this call.",
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
    description: "The token is not one for this service.",
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
    description:
      "The DPoP proof is not one for this request, this token and this moment, or was used before.",
  },
  dpop_nonce_wanted: {
    status: 401,
    error: "use_dpop_nonce",
    action: "retry",
    description: "The DPoP proof must contain the nonce that this answer brings.",
  },
  token_ambiguous: {
    status: 400,
    error: "invalid_request",
    action: "fix",
    description: "Send exactly one token, in one Authorization header.",
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
    description: "What is asked for has no price now.",
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

/** The JSON body of every refusal that is not a 402. */
export type ErrorBody = {
  error: string
  error_description: string
  reason?: string
  next: { action: NextAction; retryAfterSeconds?: number }
}

/** Thrown inside the service to refuse a request; `detail` goes to the log, never to the client. */
export class Refusal extends Error {
  readonly reason: Reason
  /** A public addition to the table's sentence: what was found and what was wanted. */
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

/** The wire form of a refusal. */
export const errorBody = (reason: Reason, found?: string): ErrorBody =>
  bodyOf(reason, refusals[reason], found)

/** The wire form of what the gate answers without a price. */
export const gateErrorBody = (reason: GateReason): ErrorBody => bodyOf(reason, gateRefusals[reason])

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

/** RFC 6749 §5.2: error_description is limited to %x20-21 / %x23-5B / %x5D-7E. */
export function printable(text: string): string {
  return text
    .replace(/"/g, "'")
    .replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "?")
    .slice(0, 300)
}
