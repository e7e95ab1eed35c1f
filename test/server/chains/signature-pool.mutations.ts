/** Removes the defences that signature-pool.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/signature-pool.ts", [
    [
      "a failed thread is no full queue",
      'throw new ThreadFailed("signature checks", { cause: error })',
      'throw new Overloaded("signature checks", { cause: error })',
      "rejects a check when its thread",
    ],
  ]),
]
