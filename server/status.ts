/** The status of a grant, for whoever can show that it is his: how long it lasts and how far its money is (wire.md §6). */
import type { TokenResponse } from "../shared/oauth.ts"
import { grantBody, settlementView } from "./grants/answer.ts"
import type { FindOwned, Proof } from "./owner.ts"

export type StatusBody = { readonly scope: string; readonly grant: TokenResponse["grant"] }

/** Throws a Refusal. */
export const createStatus =
  (find: FindOwned) =>
  async (proof: Proof): Promise<StatusBody> => {
    const { grant, redemption } = await find(proof)
    return { scope: grant.scope, grant: grantBody(grant, settlementView(redemption)) }
  }
