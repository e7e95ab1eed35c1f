/** Removes the defences that economics.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/policy.ts", [
    [
      "no offer with fewer calls than one call costs",
      "if (terms.calls != null && terms.calls < (info.cost ?? 1))",
      "if (false)",
      "a call's cost divides",
    ],
  ]),
]
