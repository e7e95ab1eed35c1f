/** Finds a grant by access token, purchase secret or idempotency key. */
import { isMeantFor } from "../../shared/oauth/access-token.ts"
import { Refusal } from "../../shared/refusals.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { openingOf } from "../../shared/x402/commitment.ts"
import { type Grant, idempotencySeconds } from "../core/grant.ts"
import type { Redemption } from "../core/redemption.ts"
import type { Keys } from "../ports/keys.ts"
import type { GrantHandle } from "../ports/records.ts"
import type { Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { sha256Hex } from "./credentials.ts"

/** The proofs of a request; the first present one counts. */
export type Proof = {
  readonly accessToken: string | undefined
  readonly secret: Hex | undefined
  readonly idempotencyKey: string | undefined
}

export type FoundGrant = { readonly grant: Grant; readonly redemption: Redemption | null }
/** Throws a Refusal. An expired token is accepted, because the answers give access to no route. */
export type FindGrant = (proof: Proof) => Promise<FoundGrant>

export function createGrantLookup(
  deps: { store: Pick<Store, "findGrant">; keys: Pick<Keys, "verify">; now: Now },
  options: { readonly issuer: string; readonly resources: readonly string[] },
): FindGrant {
  async function handleOf(proof: Proof): Promise<GrantHandle> {
    if (proof.accessToken !== undefined) {
      const claims = (await deps.keys.verify(proof.accessToken))?.claims
      // A bound token alone shows nothing; its owner has the secret of the purchase besides.
      if (!claims || claims.cnf || !isMeantFor(claims, options)) throw new Refusal("proof_missing")
      return { by: "id", value: claims.grant }
    }
    if (proof.secret !== undefined) return { by: "opening", value: openingOf(proof.secret) }
    if (proof.idempotencyKey !== undefined)
      return { by: "idempotencyHash", value: sha256Hex(proof.idempotencyKey) }
    throw new Refusal("proof_missing")
  }

  return async (proof) => {
    const handle = await handleOf(proof)
    const found = await deps.store.findGrant(handle)
    const late =
      handle.by === "idempotencyHash" && found && deps.now() > found.grant.startsAt + idempotencySeconds
    if (!found || late) throw new Refusal("grant_unknown")
    return found
  }
}
