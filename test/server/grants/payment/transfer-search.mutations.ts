/** Removes the defences that transfer-search.test.ts guards. */
import { at, type Mutation } from "../../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/transfer-search.ts", [
    [
      "the logs of a payment are searched once a minute",
      "if (before) return before.hashes",
      "",
      "DOS-02: asks for the logs of a payment once a minute",
    ],
    [
      "a search that no node saw is repeated",
      "hashes.catch((error: unknown) => error instanceof Overloaded && searches.delete(key))",
      "hashes.catch(() => {})",
      "searches again when no node was asked",
    ],
  ]),
  ...at("server/core/claim.ts", [
    [
      "the search for a transfer is bounded",
      "return first > 0n ? first : 0n",
      "return 0n",
      "DOS-02: looks through the blocks of an hour",
    ],
  ]),
]
