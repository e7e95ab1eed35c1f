/** Writes the challenge of a gate, `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1), with each attribute once. */
import { type GateReason, gateRefusals, printable } from "../refusals.ts"
import type { TokenHeader } from "../token-header.ts"

/** The resource that a challenge protects. */
export type ChallengePlace = {
  readonly realm: string
  readonly scope: string
  readonly resourceMetadata: string
  /** The header that shows a token, where it is not `Authorization`; clients of others do not know it. */
  readonly tokenHeader?: TokenHeader | undefined
  /** The algorithms of a DPoP proof; absent where no proof is accepted. */
  readonly proofAlgorithms?: readonly string[]
}

/** The refusals of a request with a bound token. */
const aboutProofs: ReadonlySet<GateReason> = new Set([
  "dpop_missing",
  "dpop_proof_invalid",
  "dpop_nonce_wanted",
])

/** Distinguishes a challenge of the gate from one of the API's own login. */
export const tokenHeaderParameter = "token_header"

export function gateChallenge(reason: GateReason, place: ChallengePlace): string {
  const row = gateRefusals[reason]
  const attributes = [
    `realm="${place.realm}"`,
    // RFC 6750 §3.1: no error for a request without a credential.
    ...(row.error === null
      ? []
      : [`error="${row.error}"`, `error_description="${printable(row.description)}"`]),
    ...(reason === "insufficient_scope" ? [`scope="${place.scope}"`] : []),
    `resource_metadata="${place.resourceMetadata}"`,
    ...(place.tokenHeader ? [`${tokenHeaderParameter}="${place.tokenHeader}"`] : []),
  ].join(", ")
  if (!place.proofAlgorithms) return `Bearer ${attributes}`
  const algorithms = `algs="${place.proofAlgorithms.join(" ")}"`
  return aboutProofs.has(reason)
    ? `DPoP ${attributes}, ${algorithms}`
    : `Bearer ${attributes}, DPoP ${algorithms}`
}
