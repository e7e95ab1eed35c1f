/** Removes the defences that relayer.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/relayer.ts", [
    [
      "every call of a batch is checked",
      "return aggregator.decode(data).every(isSettlement)",
      "return aggregator.decode(data).length > 0",
      "no batch with another call",
    ],
  ]),
]
