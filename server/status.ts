/** The status of a grant, for whoever can show that it is his: how long it lasts and how far its money is (wire.md §6). */
import { openingOf } from "../shared/commitment.ts"
import { Refusal } from "../shared/errors.ts"
import type { Hex } from "../shared/evm.ts"
import type { TokenResponse } from "../shared/oauth.ts"
import { idempotencySeconds } from "./core/grant.ts"
import { sha256Hex } from "./credentials.ts"
import { grantBody, settlementView } from "./grants/answer.ts"
import type { GrantHandle, Keys, Now, Store } from "./ports.ts"

/** What a request shows; the first of these that is there counts. */
export type StatusRequest = {
  readonly accessToken: string | undefined
  readonly secret: Hex | undefined
  readonly idempotencyKey: string | undefined
}

export type StatusBody = { readonly scope: string; readonly grant: TokenResponse["grant"] }

/** Throws a Refusal; gives out no token, so it does not matter whether the one shown has expired. */
export function createStatus(
  deps: { store: Pick<Store, "findGrant">; keys: Pick<Keys, "verify">; now: Now },
  options: { readonly issuer: string; readonly resource: string },
): (request: StatusRequest) => Promise<StatusBody> {
  async function handleOf(request: StatusRequest): Promise<GrantHandle> {
    if (request.accessToken !== undefined) {
      const claims = (await deps.keys.verify(request.accessToken))?.claims
      if (!claims || claims.iss !== options.issuer || claims.aud !== options.resource)
        throw new Refusal("proof_missing")
      return { by: "id", value: claims.grant }
    }
    if (request.secret !== undefined) return { by: "opening", value: openingOf(request.secret) }
    if (request.idempotencyKey !== undefined)
      return { by: "idempotencyHash", value: sha256Hex(request.idempotencyKey) }
    throw new Refusal("proof_missing")
  }

  return async (request) => {
    const handle = await handleOf(request)
    const found = await deps.store.findGrant(handle)
    const late =
      handle.by === "idempotencyHash" && found && deps.now() > found.grant.startsAt + idempotencySeconds
    if (!found || late) throw new Refusal("grant_unknown")
    return { scope: found.grant.scope, grant: grantBody(found.grant, settlementView(found.redemption)) }
  }
}
