/** Removes the defences that redirects.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/origins.ts", [
    [
      "the token endpoint is on the requested origin",
      "const allowed = url && (url.origin === asked.origin || rules.tokenEndpoints.has(url.href))",
      "const allowed = url",
      "on another origin receives nothing",
    ],
  ]),
  ...at("client/wire/request.ts", [
    [
      "redirects are followed by hand",
      'redirect: "manual",\n    signal',
      'redirect: "follow",\n    signal',
      "to another origin is refused",
    ],
  ]),
  ...at("client/wire/token-endpoint.ts", [
    [
      "payments are not redirected",
      'redirect: "manual",',
      'redirect: "follow",',
      "a payment is not redirected",
    ],
  ]),
]
