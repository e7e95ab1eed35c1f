/** Removes the defences that evm.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/node.ts", [
    ["a node of another chain is refused", "if (found !== network.chainId)", "if (false)", "SET-30"],
  ]),
  ...at("server/chains/questions.ts", [
    [
      "a node without a suggestion of a tip is no hindrance",
      "if (isTrouble(error)) throw error\n    return null",
      "throw error",
      "fees follow the gas price",
    ],
  ]),
]
