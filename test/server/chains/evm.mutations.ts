/** Removes the defences that evm.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/node.ts", [
    ["a node of another chain is refused", "if (found !== network.chainId)", "if (false)", "SET-30"],
  ]),
]
