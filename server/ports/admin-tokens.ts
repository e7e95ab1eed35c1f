/** Defines the port of admin tokens: who may read the books and act on them. */
import type { AdminRole } from "../core/admin-roles.ts"

/** The owner of an admin token, as the configuration names it. */
export type AdminIdentity = { readonly name: string; readonly role: AdminRole }

export type AdminTokens = {
  /** Compares by hash in constant time. Undefined for a token that is not, or not any more, in a file. */
  find(token: string): AdminIdentity | undefined
  /** Reads the files again. A token whose file is gone or unreadable is refused from then on. */
  refresh(): Promise<void>
}
