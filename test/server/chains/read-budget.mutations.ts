/** Removes the defences that read-budget.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/read-budget.ts", [
    ["reads of a payer's code are bounded per second", "if (await isSpent())", "if (false)", "DOS-12"],
    [
      "searches for a transfer are bounded",
      "    findLogs: bounded(chain.findLogs),",
      "",
      "DOS-02: the search for a transfer",
    ],
  ]),
]
