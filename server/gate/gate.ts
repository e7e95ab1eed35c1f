/**
 * Decides whether the token of a request opens the route. Sells nothing, and reads the store for counted calls and
 * proofs only.
 */
import { createHash } from "node:crypto"
import { type Claims, hasScope } from "../../shared/oauth/access-token.ts"
import { requestAddress } from "../../shared/oauth/dpop.ts"
import { readCredential, type ShownTokens, whyRefused } from "../../shared/oauth/token-check.ts"
import type { GateReason } from "../../shared/refusals.ts"
import { type Feed, feedMaximumSeconds } from "../feeds/feed.ts"
import type { Revocations } from "../feeds/revocation-feed.ts"
import type { Whitelist } from "../feeds/whitelist-feed.ts"
import type { Keys } from "../ports/keys.ts"
import type { Now } from "../ports/runtime.ts"
import type { Charge } from "./account.ts"
import type { Metering, Shortage } from "./metering.ts"
import type { CheckProof } from "./proof-check.ts"
import { createVerifiedTokens, isTooMuch } from "./verified-tokens.ts"

export type GateRequest = ShownTokens & {
  /** The raw values of every DPoP header field. */
  readonly dpop: readonly string[]
  readonly method: string
  /** Of the request to the resource, as it was sent, without the query. */
  readonly path: string
  /** The scope that the route wants. */
  readonly scope: string
  /** The units that a call of the route costs a grant that counts them. */
  readonly cost: number
}

export type GateVerdict =
  | {
      readonly kind: "pass"
      readonly claims: Claims
      /** The cost of the call, to be settled when it is answered; null for a grant that only time ends. */
      readonly charge: Charge | null
      /** For the client's next proofs, when the nonce of this one is about to expire. */
      readonly dpopNonce?: string
    }
  | Refused

type Refused = { readonly kind: "refuse"; readonly reason: GateReason; readonly dpopNonce?: string }

type Proven = {
  /** Uses the proof up; false when it was used before. */
  readonly claim: () => Promise<boolean>
  readonly dpopNonce?: string
}

export type Gate = (request: GateRequest) => Promise<GateVerdict>

export type GateOptions = {
  readonly issuer: string
  /** The audience tokens must have. */
  readonly resource: string
  /** Calls of one token in ten seconds: a token serves one caller, not a thousand. */
  readonly requestsPerToken: number
}

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
  const findToken = createVerifiedTokens(keys, options)

  /** An unpaid token opens no more than the whitelist gives its subject now. */
  function whyDelisted(claims: Claims, wanted: string): GateReason | undefined {
    if (whitelist.age() > feedMaximumSeconds) return "gate_unavailable"
    const entry = whitelist.find(claims.sub, claims.iat)
    // Only a scope that the entry lost revokes the token; a scope that the token never had can be bought.
    const lost = hasScope(claims.scope, wanted) && !hasScope(entry?.scope ?? "", wanted)
    return !entry || lost ? "token_revoked" : undefined
  }

  async function prove(token: string, thumbprint: string, request: GateRequest): Promise<Refused | Proven> {
    const { dpop, method, path } = request
    const address = requestAddress(options.resource, path)
    // The form in which a proof of possession names a token (RFC 9449 §4.2, `ath`).
    const hash = createHash("sha256").update(token).digest("base64url")
    const verdict = await checkProof(dpop, { method, address, token: { hash, thumbprint } })
    switch (verdict.kind) {
      case "unproven":
        return refuse("dpop_proof_invalid")
      case "nonce_wanted":
        return { kind: "refuse", reason: "dpop_nonce_wanted", dpopNonce: verdict.nonce }
      case "proven": {
        const { claim, freshNonce } = verdict
        return { claim, ...(freshNonce !== undefined && { dpopNonce: freshNonce }) }
      }
    }
  }

  return async function gate(request) {
    const credential = readCredential(request)
    if (typeof credential === "string") return refuse(credential)
    const known = await findToken(credential.token)
    // In an emergency a key loses all trust, whatever was verified with it before.
    if (!known || !keys.isTrusted(known.kid)) return refuse("token_invalid")
    if (keyFeed.age() > feedMaximumSeconds) return refuse("gate_unavailable")
    const { claims } = known
    const at = now()
    const refused = whyRefused(claims, {
      scheme: credential.scheme,
      scope: request.scope,
      now: at,
      ended: revocations.reasonFor(claims),
      takesProofs: true,
      whyDelisted: () => whyDelisted(claims, request.scope),
      isStale: revocations.age() > feedMaximumSeconds,
    })
    if (refused) return refuse(refused)
    const proven = claims.cnf && (await prove(credential.token, claims.cnf.jkt, request))
    if (proven && isRefused(proven)) return proven
    // Precedes the claim: one token could otherwise fill the store with proofs.
    if (isTooMuch(known, at, options.requestsPerToken)) return refuse("too_many_requests")
    if (proven && !(await proven.claim())) return refuse("dpop_proof_invalid")
    const nonce = proven?.dpopNonce === undefined ? {} : { dpopNonce: proven.dpopNonce }
    if (!claims.metered) return { kind: "pass", claims, charge: null, ...nonce }
    const charge = await metering.spend(claims.grant, request.cost)
    return typeof charge === "string" ? refuse(shortages[charge]) : { kind: "pass", claims, charge, ...nonce }
  }
}

const shortages = {
  exhausted: "token_exhausted",
  crowded: "too_many_requests",
  unavailable: "gate_unavailable",
} as const satisfies Record<Shortage, GateReason>

const isRefused = (outcome: Refused | Proven): outcome is Refused => "reason" in outcome
const refuse = (reason: GateReason): Refused => ({ kind: "refuse", reason })
