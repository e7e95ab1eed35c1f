/** Uses up the proof of a request that shows a token of a grant. */
import type { Store } from "../ports/store.ts"
import type { TokenRequest } from "./grant-type.ts"

/**
 * Leaves the proof unused when its key is not the grant's: a thief with a copied token could fill the store with proofs.
 * The key of a grant never changes, so the store refuses such a request afterwards.
 */
export async function claimProofFor(
  grantId: string,
  { keyThumbprint, claimProof }: Pick<TokenRequest, "keyThumbprint" | "claimProof">,
  { store }: { readonly store: Pick<Store, "findGrant"> },
): Promise<void> {
  if (keyThumbprint === null) return
  const found = await store.findGrant({ by: "id", value: grantId })
  const bound = found?.grant.keyThumbprint
  if (bound === null) await claimProof({ grantId })
  else if (bound === keyThumbprint) await claimProof()
}
