/** Removes what node-calls.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = at("server/chains/node.ts", [
  [
    "a refusal is no failure of the node",
    'isTrouble(error) ? "failed" : "refused"',
    '"failed"',
    "each call to a node is reported",
  ],
])
