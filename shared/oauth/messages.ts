/** Defines the OAuth side of the wire: grant types, headers, token responses and metadata documents. */
import * as z from "zod"

export const paymentGrantType = "urn:ticket402:payment"
export const refreshGrantType = "refresh_token"
export const clientCredentialsGrantType = "client_credentials"
export const walletProofGrantType = "urn:ticket402:wallet-proof"
/** RFC 8693 §2.1. */
export const tokenExchangeGrantType = "urn:ietf:params:oauth:grant-type:token-exchange"

/** Types of tokens in an exchange (RFC 8693 §3). */
export const tokenTypes = {
  access: "urn:ietf:params:oauth:token-type:access_token",
  refresh: "urn:ietf:params:oauth:token-type:refresh_token",
} as const

/** The ways in which a client can authenticate at the token endpoint (RFC 8414 §2). */
export const tokenEndpointAuthMethods = ["client_secret_basic", "client_secret_post", "none"] as const

/** Carries, at the purchase, the SHA-256 of the secret to which the nonce commits. */
export const commitmentHeader = "Ticket402-Commitment"
/** Carries that secret at a retry, as the proof of the owner. */
export const secretHeader = "Ticket402-Secret"
export const idempotencyHeader = "Idempotency-Key"
export const replayedHeader = "Idempotent-Replayed"

/** Reads 32 bytes in hex, with or without 0x, as both Ticket402 headers carry them. */
export function parseHex32(text: string): `0x${string}` | undefined {
  const match = /^(?:0x)?([0-9a-fA-F]{64})$/.exec(text)
  return match?.[1] === undefined ? undefined : `0x${match[1].toLowerCase()}`
}

/** `suspended`: the asset refuses the payment at present. No token is issued or accepted until it is paid. */
export const settlementStates = ["pending", "suspended", "settled", "failed", "none"] as const
export type SettlementState = (typeof settlementStates)[number]

const settlementSchema = z.object({
  state: z.enum(settlementStates),
  network: z.string().max(64).optional(),
  transaction: z.string().max(128).optional(),
})

/** The 200 of `POST /token` (RFC 6749 §5.1, with `grant`). */
export const tokenResponseSchema = z.object({
  access_token: z.string().min(1).max(16_384),
  /** Present for a token that was derived from another (RFC 8693 §2.2.1). */
  issued_token_type: z.literal(tokenTypes.access).optional(),
  /** `DPoP` means bound to the key of the proof in the request (RFC 9449 §5). */
  token_type: z.enum(["Bearer", "DPoP"]),
  /** Seconds; 0 when a proven retry finds that the last token of the grant has expired. */
  expires_in: z.number().int().nonnegative(),
  scope: z.string().max(512),
  /** Absent for a purchase with neither commitment nor DPoP proof, which cannot refresh. */
  refresh_token: z.string().min(1).max(512).optional(),
  grant: z.object({
    id: z.string().max(64),
    /** Seconds since the epoch. */
    expires_at: z.number().int(),
    calls_remaining: z.number().int().nullable(),
    settlement: settlementSchema,
  }),
})
export type TokenResponse = z.infer<typeof tokenResponseSchema>

/**
 * The 202 of `POST /token`: the payment is accepted, and its token follows after settlement. Nothing more is to be paid.
 * The owner sends the same payment again, and waits again or gets the token.
 */
export const pendingResponseSchema = z.object({
  status_url: z.string().max(2048),
  /** Sent once to a buyer without a proof of its own, as its `Idempotency-Key` from now on. */
  retry_secret: z.string().max(255).optional(),
  settlement: settlementSchema,
  next: z.object({ action: z.literal("retry"), retryAfterSeconds: z.number().nonnegative() }),
})
export type PendingResponse = z.infer<typeof pendingResponseSchema>

/** The 200 of `POST /token/nonce`: a nonce for one wallet proof. */
export const walletNonceSchema = z.object({
  nonce: z.string().min(1).max(256),
  /** Seconds. */
  expires_in: z.number().int().positive(),
})
export type WalletNonce = z.infer<typeof walletNonceSchema>

export const errorBodySchema = z.object({
  error: z.string().max(128),
  error_description: z.string().max(1024).optional(),
  reason: z.string().max(128).optional(),
  next: z
    .object({
      action: z.enum(["buy", "retry", "refresh", "fix", "stop"]),
      retryAfterSeconds: z.number().nonnegative().optional(),
    })
    .optional(),
})

/** RFC 7662 §2.2: without an active token, `active` is the only member. */
export type IntrospectionResponse =
  | { active: false }
  | {
      active: true
      /** Absent for a refresh token, like `aud`, `jti` and `settled`. */
      token_type?: "Bearer" | "DPoP"
      /** Thumbprint of the key that the caller must prove to hold (RFC 9449 §6.2). */
      cnf?: { jkt: string } | undefined
      iss: string
      aud?: string
      sub: string
      client_id: string
      iat: number
      exp: number
      jti?: string
      scope: string
      settled?: boolean
      paid: boolean
      grant: TokenResponse["grant"]
    }

/** Puts the well-known segment between host and path (RFC 8414 §3.1, RFC 9728 §3.1). */
export function wellKnown(identifier: string, name: string): string {
  const url = new URL(identifier)
  return `${url.origin}/.well-known/${name}${url.pathname === "/" ? "" : url.pathname}`
}

/** Returns the URL of a path within the resource; a proxy in front may have removed the path of the resource. */
export function urlWithin(resource: string, path: string): string {
  const { origin, pathname } = new URL(resource)
  const base = pathname.replace(/\/$/, "")
  const isWhole = path === base || path.startsWith(`${base}/`)
  return `${origin}${isWhole ? path : `${base}${path}`}`
}

/** The members of RFC 8414 §2 that ticket402 uses. */
export type AuthorizationServerMetadata = {
  issuer: string
  token_endpoint: string
  jwks_uri: string
  /** An extension of ticket402: every key that ever signed a receipt. */
  receipt_jwks_uri: string
  grant_types_supported: string[]
  token_endpoint_auth_methods_supported: string[]
  /** Extensions of ticket402: the gate for other servers, and the list of revocations. */
  gate_uri: string
  revocations_uri: string
  revocation_endpoint: string
  revocation_endpoint_auth_methods_supported: string[]
  /** Absent when no service may introspect. */
  introspection_endpoint?: string
  introspection_endpoint_auth_methods_supported?: string[]
  /** An extension of ticket402: the source of nonces for wallet proofs. */
  wallet_nonce_endpoint: string
  dpop_signing_alg_values_supported: string[]
  response_types_supported: string[]
  scopes_supported: string[]
}

/** RFC 9728 §2. */
export type ProtectedResourceMetadata = {
  resource: string
  authorization_servers: string[]
  scopes_supported: string[]
  bearer_methods_supported: string[]
  dpop_signing_alg_values_supported: string[]
}
