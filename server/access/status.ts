/** Returns the status of a grant to its owner: its end, and the state of its settlement. */
import type { TokenResponse } from "../../shared/oauth/messages.ts"
import { isIssued } from "../core/grant.ts"
import { grantBody, settlementView } from "../core/grant-view.ts"
import type { FindGrant, Proof } from "./grant-lookup.ts"

/** `expires_at` is null while nothing is issued: the time of a settle-first purchase begins with its token. */
export type StatusBody = {
  readonly scope: string
  readonly grant: Omit<TokenResponse["grant"], "expires_at"> & { readonly expires_at: number | null }
}

/** Throws a Refusal. */
export const createStatus =
  (find: FindGrant) =>
  async (proof: Proof): Promise<StatusBody> => {
    const { grant, redemption } = await find(proof)
    const body = grantBody(grant, settlementView(redemption))
    return { scope: grant.scope, grant: isIssued(grant) ? body : { ...body, expires_at: null } }
  }
