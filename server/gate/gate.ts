/** The gate: looks at the token of a request and says whether the door opens (wire.md §1). Sells nothing; for a grant that only time ends it does no I/O. */
import { createHash } from "node:crypto"
import { LRUCache } from "lru-cache"
import {
  type Claims,
  credentialIn,
  hasScope,
  isExpired,
  isMeantFor,
  leewaySeconds,
} from "../../shared/oauth/access-token.ts"
import { requestAddress } from "../../shared/oauth/dpop.ts"
import { type GateReason, gateRefusals } from "../../shared/refusals.ts"
import { type Feed, feedMaximumSeconds } from "../feeds/feed.ts"
import type { Revocations } from "../feeds/revocation-feed.ts"
import type { Whitelist } from "../feeds/whitelist-feed.ts"
import type { Keys, VerifiedToken } from "../ports/keys.ts"
import type { Now } from "../ports/runtime.ts"
import type { Charge, Metering, Shortage } from "./metering.ts"
import type { CheckProof } from "./proof-check.ts"

export type GateRequest = {
  /** The raw values of every Authorization header field, in order: joining or dropping one would hide an attack. */
  readonly authorization: readonly string[]
  /** The request carries an x402 payment header. */
  readonly payment: boolean
  /** The request carries a token in its query string. */
  readonly queryToken: boolean
  /** The raw values of every DPoP header field. */
  readonly dpop: readonly string[]
  readonly method: string
  /** Of the request to the resource, as it was sent, without the query. */
  readonly path: string
  /** What the route wants. */
  readonly scope: string
  /** How many units a call of the route costs a grant that counts them; 1 when not given. */
  readonly cost?: number
}

export type GateVerdict =
  | {
      readonly kind: "pass"
      readonly claims: Claims
      /** What the call costs, to be settled when it is answered; null for a grant that only time ends. */
      readonly charge: Charge | null
      /** For the client's next proofs, when the one used is about to be refused. */
      readonly dpopNonce?: string
    }
  | Refused

type Refused = { readonly kind: "refuse"; readonly reason: GateReason; readonly dpopNonce?: string }

type Proven = { readonly dpopNonce?: string }

export type Gate = (request: GateRequest) => Promise<GateVerdict>

export type GateOptions = {
  readonly issuer: string
  /** The audience tokens must have. */
  readonly resource: string
  /** Within a window of {@link windowSeconds}: one token serves one caller, not a thousand. */
  readonly requestsPerToken: number
}

/** What is known of a token, and how often it was let through, or would have been, in the present window. */
type Known = VerifiedToken & {
  /** base64url of the token's SHA-256, as a proof of possession has it. */
  readonly hash: string
  windowEndsAt: number
  requests: number
}

const windowSeconds = gateRefusals.too_many_requests.retryAfterSeconds
const cacheSize = 10_000

export function createGate(
  deps: {
    keys: Pick<Keys, "verify" | "isTrusted">
    /** How old the knowledge of the keys is. */
    keyFeed: Pick<Feed, "age">
    revocations: Pick<Revocations, "age" | "reasonFor">
    whitelist: Pick<Whitelist, "age" | "find">
    metering: Pick<Metering, "spend">
    checkProof: CheckProof
    now: Now
  },
  options: GateOptions,
): Gate {
  const { keys, keyFeed, revocations, whitelist, metering, checkProof, now } = deps
  // Keyed by the hash of the exact bytes, signature included: a forged token with known claims must never hit.
  const verified = new LRUCache<string, Known>({ max: cacheSize })

  async function authenticate(token: string): Promise<Known | undefined> {
    const hash = createHash("sha256").update(token).digest("base64url")
    const known = verified.get(hash)
    if (known) return known
    const found = await keys.verify(token)
    if (!found) return undefined
    const { claims, kid } = found
    if (!isMeantFor(claims, options)) return undefined
    const fresh: Known = { claims, kid, hash, windowEndsAt: 0, requests: 0 }
    verified.set(hash, fresh)
    return fresh
  }

  function isTooMuch(known: Known, at: number): boolean {
    if (at >= known.windowEndsAt) {
      known.windowEndsAt = at + windowSeconds
      known.requests = 0
    }
    known.requests += 1
    return known.requests > options.requestsPerToken
  }

  /** A token that nobody paid for is worth what the list says of its subject now, whatever it says itself. */
  function whyDelisted(claims: Claims, wanted: string): GateReason | undefined {
    if (whitelist.age() > feedMaximumSeconds) return "gate_unavailable"
    const entry = whitelist.find(claims.sub, claims.iat)
    // A scope the token never had is a matter of buying; one that its entry lost is not.
    const lost = hasScope(claims.scope, wanted) && !hasScope(entry?.scope ?? "", wanted)
    return !entry || lost ? "token_revoked" : undefined
  }

  /** Asked late, because it uses the proof up. */
  async function prove({ hash }: Known, thumbprint: string, request: GateRequest): Promise<Refused | Proven> {
    const { dpop, method, path } = request
    const address = requestAddress(options.resource, path)
    const verdict = await checkProof(dpop, { method, address, token: { hash, thumbprint } })
    switch (verdict.kind) {
      case "unproven":
        return refuse("dpop_proof_invalid")
      case "nonce_wanted":
        return { kind: "refuse", reason: "dpop_nonce_wanted", dpopNonce: verdict.nonce }
      case "proven": {
        const { freshNonce } = verdict
        return freshNonce === undefined ? {} : { dpopNonce: freshNonce }
      }
    }
  }

  return async function gate(request) {
    const [value, ...more] = request.authorization
    if (value === undefined) return refuse(request.payment ? "pay_at_token_endpoint" : "token_missing")
    if (more.length > 0 || request.queryToken || value.includes(",")) return refuse("token_ambiguous")
    const { scheme, token } = credentialIn(value) ?? {}
    const known = token === undefined ? undefined : await authenticate(token)
    // In an emergency a key loses all trust, whatever was verified with it before.
    if (!known || !keys.isTrusted(known.kid)) return refuse("token_invalid")
    const isBound = known.claims.cnf !== undefined
    if (isBound !== (scheme === "dpop")) return refuse(isBound ? "dpop_missing" : "dpop_unbound")
    if (keyFeed.age() > feedMaximumSeconds) return refuse("gate_unavailable")
    const { claims } = known
    const at = now()
    if (claims.iat > at + leewaySeconds) return refuse("token_invalid")
    const ended = revocations.reasonFor(claims)
    if (ended === "settlement_failed") return refuse("settlement_failed")
    if (ended === "revoked" || ended === "delisted") return refuse("token_revoked")
    if (ended === "superseded") return refuse("token_expired")
    if (ended !== undefined) return refuse("grant_over")
    const delisted = claims.paid ? undefined : whyDelisted(claims, request.scope)
    if (delisted) return refuse(delisted)
    if (isExpired(claims, at)) return refuse("token_expired")
    if (!hasScope(claims.scope, request.scope)) return refuse("insufficient_scope")
    // A failed settlement may hide in a feed that is too old, so tokens issued before the money was in are not trusted.
    if (!claims.settled && revocations.age() > feedMaximumSeconds) return refuse("gate_unavailable")
    const proven = claims.cnf ? await prove(known, claims.cnf.jkt, request) : {}
    if (isRefused(proven)) return proven
    if (isTooMuch(known, at)) return refuse("too_many_requests")
    if (!claims.metered) return { kind: "pass", claims, charge: null, ...proven }
    const charge = await metering.spend(claims.grant, request.cost ?? 1)
    return typeof charge === "string"
      ? refuse(shortages[charge])
      : { kind: "pass", claims, charge, ...proven }
  }
}

const shortages = {
  exhausted: "token_exhausted",
  crowded: "too_many_requests",
  unavailable: "gate_unavailable",
} as const satisfies Record<Shortage, GateReason>

const isRefused = (outcome: Refused | Proven): outcome is Refused => "reason" in outcome
const refuse = (reason: GateReason): Refused => ({ kind: "refuse", reason })
