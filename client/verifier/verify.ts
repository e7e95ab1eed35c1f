/** The gate for a resource server of one's own, in whatever framework: it checks tokens of an issuer that runs elsewhere. */
import {
  type Claims,
  claimsSchema,
  credentialIn,
  hasScope,
  isExpired,
  leewaySeconds,
} from "../../shared/oauth/access-token.ts"
import { gateChallenge } from "../../shared/oauth/challenge.ts"
import { wellKnown } from "../../shared/oauth/messages.ts"
import { type GateReason, gateErrorBody, gateRefusals } from "../../shared/refusals.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentRequiredHeader } from "../../shared/x402/messages.ts"
import { Ticket402Error } from "../core/errors.ts"
import { isPrivateEnough, parseUrl } from "../core/origins.ts"
import { plainFetch } from "../wire/global-fetch.ts"
import { createIssuerState } from "./issuer-state.ts"

export type VerifierOptions = {
  /** The issuer, byte for byte as in its metadata. */
  readonly issuer: string
  /** The audience tokens must have; the issuer when not given. */
  readonly resource?: string
  /** Allow an issuer over plain http that is not on loopback. */
  readonly allowInsecureHttp?: boolean
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since the epoch. */
  readonly now?: () => number
}

export type TokenVerdict =
  | { readonly kind: "pass"; readonly claims: Claims }
  /** To be answered as it stands: the gate's own words, with the price where paying helps. */
  | {
      readonly kind: "refuse"
      readonly reason: GateReason
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string
    }

export type Verifier = {
  /** `authorization`: every value of that header, e.g. Node's `request.headersDistinct.authorization`. Never throws. */
  check(authorization: string | readonly string[] | null | undefined, scope: string): Promise<TokenVerdict>
  /** Stops asking the issuer. */
  close(): void
}

/** A list older than this may hide a failed settlement or a removal from the whitelist. */
const staleSeconds = 15

/** Throws {@link Ticket402Error} `option_invalid`. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, resource = issuer, allowInsecureHttp = false } = options
  for (const each of [issuer, resource]) requireIdentifier(each, allowInsecureHttp)
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const fetch = options.fetch ?? plainFetch
  const issuerState = createIssuerState(issuer, { fetch, now, allowInsecureHttp })
  const resourceMetadata = wellKnown(resource, "oauth-protected-resource")

  async function judge(values: readonly string[], scope: string): Promise<GateReason | Claims> {
    const [value, ...more] = values
    if (value === undefined) return "token_missing"
    if (more.length > 0 || value.includes(",")) return "token_ambiguous"
    const token = credentialIn(value)?.token
    const opened = token === undefined ? undefined : await issuerState.open(token)
    // It may be good and of a key that is newer than the last word from the issuer.
    if (token !== undefined && opened === undefined && issuerState.age() > staleSeconds)
      return "gate_unavailable"
    const read = claimsSchema.safeParse(opened)
    if (!read.success) return "token_invalid"
    const claims = read.data
    const at = now()
    const isOurs = claims.iss === issuer && claims.aud === resource && claims.iat <= at + leewaySeconds
    return isOurs ? (whyRefused(claims, scope, at) ?? claims) : "token_invalid"
  }

  /** In the order of the issuer's own gate, so that both say the same. */
  function whyRefused(claims: Claims, scope: string, at: number): GateReason | undefined {
    const ended = issuerState.reasonFor(claims)
    if (ended === "settlement_failed") return ended
    if (ended === "superseded") return "token_expired"
    if (ended !== undefined) return ended === "refresh_token_reused" ? "grant_over" : "token_revoked"
    // Who checks proofs must see to it that each is taken once, wherever it is shown; this gate does not.
    if (claims.cnf) return "token_invalid"
    if (isExpired(claims, at)) return "token_expired"
    if (!hasScope(claims.scope, scope)) return "insufficient_scope"
    const isFinal = claims.settled && claims.paid
    return !isFinal && issuerState.age() > staleSeconds ? "gate_unavailable" : undefined
  }

  async function refuse(reason: GateReason, scope: string): Promise<TokenVerdict> {
    const row = gateRefusals[reason]
    const headers = {
      "cache-control": "no-store",
      "content-type": "application/json",
      "www-authenticate": gateChallenge(reason, { realm: resource, scope, resourceMetadata }),
      ...("retryAfterSeconds" in row && { "retry-after": String(row.retryAfterSeconds) }),
    }
    if (row.status !== 402)
      return {
        kind: "refuse",
        reason,
        status: row.status,
        headers,
        body: JSON.stringify(gateErrorBody(reason)),
      }
    try {
      const price = await issuerState.price(scope)
      return {
        kind: "refuse",
        reason,
        status: 402,
        headers: { ...headers, [paymentRequiredHeader]: encodeHeader({ ...price.header, error: reason }) },
        body: JSON.stringify({ ...price.body, error: reason }),
      }
    } catch {
      // A 402 without a price helps nobody.
      return refuse("gate_unavailable", scope)
    }
  }

  return {
    async check(authorization, scope) {
      const values = typeof authorization === "string" ? [authorization] : (authorization ?? [])
      const found = await judge(values, scope)
      return typeof found === "string" ? refuse(found, scope) : { kind: "pass", claims: found }
    },
    close: issuerState.close,
  }
}

function requireIdentifier(text: string, allowInsecureHttp: boolean): void {
  const url = parseUrl(text)
  if (!url || text.endsWith("/") || !isPrivateEnough(url, allowInsecureHttp))
    throw new Ticket402Error("option_invalid", "The verifier needs to know whose tokens it checks.", {
      found: text,
      wanted: "the https URL of the issuer, as in its metadata",
    })
}
