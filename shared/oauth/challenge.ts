/** The challenge of a gate, `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1): no error when no credential came, each attribute once. */
import { type GateReason, gateRefusals, printable } from "../refusals.ts"

/** What a request with a bound token is told. */
const aboutProofs: ReadonlySet<GateReason> = new Set([
  "dpop_missing",
  "dpop_proof_invalid",
  "dpop_nonce_wanted",
])

export function gateChallenge(
  reason: GateReason,
  place: {
    readonly realm: string
    readonly scope: string
    readonly resourceMetadata: string
    /** By which a DPoP proof may be signed; absent where none is taken. */
    readonly proofAlgorithms?: readonly string[]
  },
): string {
  const row = gateRefusals[reason]
  const attributes = [
    `realm="${place.realm}"`,
    ...(row.error === null
      ? []
      : [`error="${row.error}"`, `error_description="${printable(row.description)}"`]),
    ...(reason === "insufficient_scope" ? [`scope="${place.scope}"`] : []),
    `resource_metadata="${place.resourceMetadata}"`,
  ].join(", ")
  if (!place.proofAlgorithms) return `Bearer ${attributes}`
  const algorithms = `algs="${place.proofAlgorithms.join(" ")}"`
  return aboutProofs.has(reason)
    ? `DPoP ${attributes}, ${algorithms}`
    : `Bearer ${attributes}, DPoP ${algorithms}`
}
