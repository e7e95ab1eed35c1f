/** Orders the roles of admin tokens: each role includes the rights of those before it. */

/** `read` sees the books; `operate` also revokes, credits and retries; `refund` also sends money back. */
export const adminRoles = ["read", "operate", "refund"] as const
export type AdminRole = (typeof adminRoles)[number]

export const hasRole = (has: AdminRole, wanted: AdminRole): boolean =>
  adminRoles.indexOf(has) >= adminRoles.indexOf(wanted)
