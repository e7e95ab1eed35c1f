/** Removes the defences that derive.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("shared/oauth/revocation.ts", [
    [
      "a derived token ends with its parent at every gate",
      "?? (parent === undefined ? undefined : grants.get(parent))",
      "",
      "ends with its parent",
    ],
  ]),
]
