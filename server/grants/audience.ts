/** Decides the audience of a token: the resource that the request names (RFC 8707), or that of the grant. */
import type { TokenOptions, TokenRequest } from "./grant-type.ts"

type Asked = Pick<TokenRequest, "resource">

/** The resource of a new grant. */
export const audienceOf = ({ resource }: Asked, options: Pick<TokenOptions, "resource">): string =>
  resource ?? options.resource

/** The resources of which a grant must be to yield another token: a grant never changes its own. */
export const audiencesOf = (
  { resource }: Asked,
  { resources }: Pick<TokenOptions, "resources">,
): readonly string[] => (resource === undefined ? resources : [resource])
