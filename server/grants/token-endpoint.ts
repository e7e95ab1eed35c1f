/** Checks a proof of possession, and hands the request to the module of its grant type. */
import { proofAddress } from "../../shared/oauth/dpop.ts"
import { Refusal } from "../../shared/refusals.ts"
import { type CheckProof, NonceWanted } from "../gate/proof-check.ts"
import type { Rate } from "../ports/runtime.ts"
import type {
  GrantType,
  TokenDeps,
  TokenEndpointAnswer,
  TokenOptions,
  TokenRequest,
  UnboundGrant,
} from "./grant-type.ts"
import * as grantTypes from "./index.ts"

/** A request as it came, with the raw values of its DPoP header fields. */
export type TokenEndpointRequest = Omit<TokenRequest, keyof Possession> & { readonly dpop: readonly string[] }

type Possession = Pick<TokenRequest, "keyThumbprint" | "claimProof">

export type TokenEndpoint = (request: TokenEndpointRequest) => Promise<TokenEndpointAnswer>

const types: ReadonlyMap<string, GrantType> = new Map(
  Object.values(grantTypes).map((type: GrantType) => [type.grantType, type]),
)

export const supportedGrantTypes: readonly string[] = [...types.keys()]

/** Throws a Refusal for every request that yields no token. */
export function createTokenEndpoint(
  deps: TokenDeps & {
    readonly checkProof: CheckProof
    /** Accepted proofs by key, and by grant where any key may prove: no holder can fill the store. */
    readonly proofs: Rate
  },
  options: TokenOptions & { readonly tokenEndpoint: string },
): TokenEndpoint {
  const address = proofAddress(new URL(options.tokenEndpoint))

  async function prove(
    dpop: readonly string[],
  ): Promise<{ possession: Possession; freshNonce?: string | undefined }> {
    if (dpop.length === 0) return { possession: { keyThumbprint: null, claimProof: async () => {} } }
    const verdict = await deps.checkProof(dpop, { method: "POST", address })
    if (verdict.kind === "nonce_wanted") throw new NonceWanted(verdict.nonce)
    if (verdict.kind === "unproven") throw new Refusal("dpop_proof_invalid", verdict.why)
    const { thumbprint, claim, freshNonce } = verdict
    let claimed: Promise<void> | undefined
    const claimProof = async (unbound?: UnboundGrant) => {
      if (unbound) await deps.proofs.take(`grant ${unbound.grantId}`)
      await deps.proofs.take(thumbprint)
      if (!(await claim())) throw new Refusal("dpop_proof_invalid", "It was used before.")
    }
    const claimOnce = (unbound?: UnboundGrant) => {
      claimed ??= claimProof(unbound)
      return claimed
    }
    return { possession: { keyThumbprint: thumbprint, claimProof: claimOnce }, freshNonce }
  }

  return async ({ dpop, ...request }) => {
    const type = types.get(request.grantType)
    if (!type) throw new Refusal("grant_type_unsupported", `Wanted ${supportedGrantTypes.join(" or ")}.`)
    if (request.resource !== undefined && !options.resources.includes(request.resource))
      throw new Refusal("invalid_target")
    const { possession, freshNonce } = await prove(dpop)
    return { ...(await type.handle({ ...request, ...possession }, deps, options)), freshNonce }
  }
}
