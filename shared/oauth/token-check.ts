/** Decides on the token of a request, in one order for every gate: here, behind a proxy, and at verifiers elsewhere. */
import type { GateReason } from "../refusals.ts"
import {
  type Claims,
  type Credential,
  credentialIn,
  hasScope,
  isExpired,
  isNotYetValid,
} from "./access-token.ts"
import type { StopReason } from "./revocation.ts"

export type ShownTokens = {
  /** The raw values of every Authorization header field, in order: joining or dropping one would hide an attack. */
  readonly authorization: readonly string[]
  /** The request carries an x402 payment header. */
  readonly payment?: boolean
  /** The request carries a token in its query string. */
  readonly queryToken?: boolean
}

/** Reads the one token of a request, or the reason why it has none. */
export function readCredential({ authorization, payment, queryToken }: ShownTokens): Credential | GateReason {
  const [value, ...more] = authorization
  if (value === undefined) return payment ? "pay_at_token_endpoint" : "token_missing"
  if (more.length > 0 || queryToken || value.includes(",")) return "token_ambiguous"
  return credentialIn(value) ?? "token_invalid"
}

export type TokenFacts = {
  readonly scheme: Credential["scheme"]
  /** The scope that the route requires. */
  readonly scope: string
  readonly now: number
  /** The reason why the grant or the token ended early, or is not accepted at present. */
  readonly ended: StopReason | undefined
  /** The gate checks proofs of possession. */
  readonly takesProofs: boolean
  /** The reason why the whitelist refuses tokens of this subject; called for unpaid tokens. */
  readonly whyDelisted: () => GateReason | undefined
  /** The list of ended grants is so old that it may lack a failed settlement. */
  readonly isStale: boolean
}

/** Returns why a token of this issuer is refused; undefined while it is valid. Proofs of possession are checked later. */
export function whyRefused(claims: Claims, facts: TokenFacts): GateReason | undefined {
  const { scheme, scope, now, ended, takesProofs, isStale } = facts
  const isBound = claims.cnf !== undefined
  if (isBound && takesProofs && scheme !== "dpop") return "dpop_missing"
  if (!isBound && scheme === "dpop") return "dpop_unbound"
  if (isNotYetValid(claims, now)) return "token_not_yet_valid"
  if (ended !== undefined) return refusalOf[ended]
  // A gate that cannot detect a used proof accepts no bound token.
  if (isBound && !takesProofs) return "token_invalid"
  const delisted = claims.paid ? undefined : facts.whyDelisted()
  if (delisted) return delisted
  if (isExpired(claims, now)) return "token_expired"
  if (!hasScope(claims.scope, scope)) return "insufficient_scope"
  return isStale && !claims.settled ? "gate_unavailable" : undefined
}

const refusalOf = {
  settlement_failed: "settlement_failed",
  suspended: "settlement_delayed",
  revoked: "token_revoked",
  delisted: "token_revoked",
  superseded: "token_expired",
  refresh_token_reused: "grant_over",
  lost: "grant_over",
} as const satisfies Record<StopReason, GateReason>
