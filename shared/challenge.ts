/** The challenge of a gate, `WWW-Authenticate` (RFC 6750 §3): no error when no credential came, each attribute once. */
import { type GateReason, gateRefusals, printable } from "./errors.ts"

export function bearerChallenge(
  reason: GateReason,
  place: { readonly realm: string; readonly scope: string; readonly resourceMetadata: string },
): string {
  const row = gateRefusals[reason]
  const attributes = [
    `realm="${place.realm}"`,
    ...(row.error === null
      ? []
      : [`error="${row.error}"`, `error_description="${printable(row.description)}"`]),
    ...(reason === "insufficient_scope" ? [`scope="${place.scope}"`] : []),
    `resource_metadata="${place.resourceMetadata}"`,
  ]
  return `Bearer ${attributes.join(", ")}`
}
