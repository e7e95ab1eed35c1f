/** The list of what was taken back, as `GET /revocations` gives it: a signed text for whoever checks tokens elsewhere. */
import * as z from "zod"
import { grantEnds } from "./revocation.ts"

/** `typ` of the JWS (RFC 8725 §3.11): no list passes for a token, and no token for a list. */
export const revocationsType = "ticket402-revocations+jwt"

/** Revocations in one answer, at most. */
export const revocationPage = 500

const seconds = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const id = z.string().min(1).max(512)

const revocationSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("grant"),
    grantId: id,
    // A reason of a later release is a revocation all the same.
    reason: z.enum(grantEnds).catch("revoked"),
    expiresAt: seconds,
  }),
  z.object({ kind: z.literal("token"), jti: id, expiresAt: seconds }),
  z.object({ kind: z.literal("tokens"), grantId: id, before: seconds, expiresAt: seconds }),
  z.object({ kind: z.literal("rule"), offer: id.nullable(), before: seconds, expiresAt: seconds }),
])

export const revocationListSchema = z.object({
  iss: id,
  /** When the list was true, in seconds. */
  iat: seconds,
  /** The cursor that was asked with, and the one to ask with next. */
  since: seconds,
  next: seconds,
  /** There is another page already. */
  more: z.boolean(),
  revocations: z.array(revocationSchema).max(revocationPage),
  /** Ids of keys that nothing is trusted from any more. */
  removedKeys: z.array(id).max(1000),
})
export type RevocationList = z.infer<typeof revocationListSchema>
