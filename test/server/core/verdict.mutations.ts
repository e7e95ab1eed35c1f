/** Removes the defences that verdict.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/verdict.ts", [
    [
      "a block older than the accepted read raises no doubt",
      "if (reading.blockNumber < redemption.fromBlock) return",
      "if (false) return",
      "SET-29: draws no doubt",
    ],
    [
      "a stale read fails no payer without code",
      "if (!hasCode(examined)) return wait",
      "if (false) return wait",
      "SET-29: a refused simulation",
    ],
  ]),
]
