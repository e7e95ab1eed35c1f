/** Removes the defences that economics.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/policy.ts", [
    [
      "nothing is bought that a call would use up before it passes",
      "if (terms.calls != null && terms.calls < (info.cost ?? 1))",
      "if (false)",
      "nothing that holds fewer than it takes",
    ],
  ]),
]
