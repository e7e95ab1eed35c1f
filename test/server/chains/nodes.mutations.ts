/** Removes the defences that nodes.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/node.ts", [
    [
      "the chain id is checked again after an outage",
      "if (!trouble && clock() < provenUntil)",
      "if (provenUntil > 0)",
      "SET-30: is asked nothing",
    ],
    [
      "a hanging node costs its timeout once",
      "(!trouble.slow || clock() >= trouble.restUntil)",
      "true",
      "DOS-14: when alone and hanging",
    ],
  ]),
  ...at("server/chains/nodes.ts", [
    ["a lagging node's answer is not used", "if (heads.isCurrent(reading.block)) {", "if (true) {", "SET-28"],
  ]),
]
