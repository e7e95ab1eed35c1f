/** Defines the signed list of revocations, which `GET /revocations` returns to gates elsewhere. */
import * as z from "zod"
import { grantEnds } from "./revocation.ts"

/** The `typ` of the JWS (RFC 8725 §3.11), so that no list is accepted as a token, or the reverse. */
export const revocationsType = "ticket402-revocations+jwt"

/** The most revocations in one answer. */
export const revocationPage = 500

const seconds = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const id = z.string().min(1).max(512)

const revocationSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("grant"),
    grantId: id,
    // An unknown reason of a later release still revokes.
    reason: z.enum(grantEnds).catch("revoked"),
    expiresAt: seconds,
  }),
  z.object({ kind: z.enum(["suspended", "resumed"]), grantId: id, expiresAt: seconds }),
  z.object({ kind: z.literal("token"), jti: id, expiresAt: seconds }),
  z.object({ kind: z.literal("tokens"), grantId: id, before: seconds, expiresAt: seconds }),
  z.object({ kind: z.literal("rule"), offer: id.nullable(), before: seconds, expiresAt: seconds }),
])

export const revocationListSchema = z.object({
  iss: id,
  /** Time of the list in seconds. */
  iat: seconds,
  /** Generation of the books; every start makes a new one. A reader of another one starts anew. */
  generation: id,
  /** The cursor of the request, or 0 for a reader of another generation; and the cursor of the next request. */
  since: seconds,
  next: seconds,
  /** True when another page exists already. */
  more: z.boolean(),
  revocations: z.array(revocationSchema).max(revocationPage),
  /** Ids of keys whose signatures are no longer trusted. */
  removedKeys: z.array(id).max(1000),
})
export type RevocationList = z.infer<typeof revocationListSchema>
