/** Lists the refusals of the admin address, and renders them. */
import { json } from "../http/respond.ts"

type Row = { readonly status: number; readonly description: string }

/** By the value of `error`. */
export const adminRefusals = {
  malformed: { status: 400, description: "The request is malformed." },
  token_wanted: { status: 401, description: "The request needs an admin token of this service." },
  role_missing: { status: 403, description: "The role of this token does not allow the request." },
  foreign_origin: { status: 403, description: "Pages of another origin may neither read nor act here." },
  not_found: { status: 404, description: "There is no such endpoint." },
  payment_unknown: { status: 404, description: "There is no payment with this key." },
  grant_unknown: { status: 404, description: "There is no grant with this id." },
  method_not_allowed: { status: 405, description: "This endpoint does not have that method." },
  payment_not_dead: { status: 409, description: "Only a payment in state dead can be tried again." },
  grant_uncounted: { status: 409, description: "This grant counts no units." },
  json_wanted: { status: 415, description: "The body must be application/json." },
  foreign_host: { status: 421, description: "This service does not answer under that host name." },
  rate_limited: { status: 429, description: "Too many requests. Try again in 10 seconds." },
} as const satisfies Record<string, Row>

export type AdminReason = keyof typeof adminRefusals

/** `found` describes the value found and the value wanted; it is public. */
export class AdminRefusal extends Error {
  readonly reason: AdminReason
  readonly found: string | undefined

  constructor(reason: AdminReason, found?: string) {
    super(reason)
    this.name = "AdminRefusal"
    this.reason = reason
    this.found = found
  }
}

export function adminRefusalResponse({ reason, found }: AdminRefusal): Response {
  const { status, description } = adminRefusals[reason]
  const body = { error: reason, error_description: description, ...(found !== undefined && { found }) }
  return json(status, body, {
    ...(status === 401 && { "www-authenticate": 'Bearer realm="admin"' }),
    ...(status === 429 && { "retry-after": "10" }),
  })
}
