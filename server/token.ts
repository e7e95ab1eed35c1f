/** The ticket office: hands a request to the module of its grant type. */
import { Refusal } from "../shared/errors.ts"
import type { GrantType, TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "./grants/grant-type.ts"
import * as grantTypes from "./grants/index.ts"

export type TokenEndpoint = (request: TokenRequest) => Promise<TokenAnswer>

const types: ReadonlyMap<string, GrantType> = new Map(
  Object.values(grantTypes).map((type: GrantType) => [type.grantType, type]),
)

export const supportedGrantTypes: readonly string[] = [...types.keys()]

/** Throws a Refusal for whatever yields no token. */
export function createTokenEndpoint(deps: TokenDeps, options: TokenOptions): TokenEndpoint {
  return (request) => {
    const type = types.get(request.grantType)
    if (!type) throw new Refusal("grant_type_unsupported", `Wanted ${supportedGrantTypes.join(" or ")}.`)
    return type.handle(request, deps, options)
  }
}
