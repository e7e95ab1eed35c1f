/** Removes the defences that resources.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/token-endpoint.ts", [
    [
      "tokens for the resources on sale only",
      "request.resource !== undefined && !options.resources.includes(request.resource)",
      "false",
      "is refused at the token endpoint",
    ],
  ]),
  ...at("server/grants/audience.ts", [
    [
      "a grant keeps its resource",
      "resource === undefined ? resources : [resource]",
      "resources",
      "a refresh token stays with the resource",
    ],
  ]),
  ...at("server/gate/verified-tokens.ts", [
    [
      "the own gate takes tokens of its own resource only",
      "{ issuer, resources: [resource] }",
      "{ issuer, resources: [found.claims.aud] }",
      "open nothing at each other",
    ],
  ]),
  ...at("client/verifier/verify.ts", [
    [
      "a verifier takes tokens of its own resource only",
      "{ issuer, resources: [resource] }",
      "{ issuer, resources: [claims.aud] }",
      "open nothing at each other",
    ],
  ]),
  ...at("server/grants/payment/payment-grant.ts", [
    [
      "the commitment names the resource",
      "audienceOf(request, options)",
      "audienceOf({ resource: undefined }, options)",
      "is bought by the client",
    ],
  ]),
]
