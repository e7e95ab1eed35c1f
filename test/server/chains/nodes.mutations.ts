/** Removes the defences that nodes.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/node.ts", [
    [
      "chain id again after an outage",
      "if (!trouble && clock() < provenUntil)",
      "if (provenUntil > 0)",
      "SET-30: that comes back from an outage",
    ],
    [
      "a hanging node costs its timeout once",
      "(!trouble.slow || clock() >= trouble.restUntil)",
      "true",
      "DOS-14: alone and hanging",
    ],
  ]),
  ...at("server/chains/nodes.ts", [
    ["no answer of a node that lags", "if (heads.isCurrent(reading.block)) {", "if (true) {", "SET-28"],
  ]),
]
