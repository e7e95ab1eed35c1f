/** Removes the defences that verdict.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/verdict.ts", [
    [
      "a block older than the accepted read raises no doubt",
      "if (reading.blockNumber < redemption.fromBlock)\n    return",
      "if (false)\n    return",
      "SET-29: draws no doubt",
    ],
    [
      "a payer with code is never suspended",
      "if (hasCode(examined)) return judgeCode(examined)",
      "",
      "a payer with code",
    ],
    [
      "money that a reorg removed after a failure is not asked for again",
      "if (hasFailed(redemption)) return fail(redemption.failure, lastLookAt(redemption))",
      "",
      "a payment whose late money",
    ],
  ]),
]
