/** Removes the defences that read-budget.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/read-budget.ts", [
    ["looks for code by the second", "if (await isSpent())", "if (false)", "DOS-12"],
  ]),
]
