/** Removes the defences that redirects.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/origins.ts", [
    [
      "token endpoint on the asked origin",
      "const allowed = url && (url.origin === asked.origin || rules.tokenEndpoints.has(url.href))",
      "const allowed = url",
      "on another place gets nothing",
    ],
  ]),
  ...at("client/wire/request.ts", [
    [
      "redirects by hand",
      'redirect: "manual",\n    signal',
      'redirect: "follow",\n    signal',
      "to another origin is not followed",
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
