/** Removes the defences that recovery.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/books/keeper.ts", [
    [
      "no sale before the books are complete",
      'if (!complete.has(network)) throw new Refusal("recovering")',
      "",
      "KEY-09: sells nothing",
    ],
  ]),
  ...at("server/books/catch-up.ts", [
    ["payments since the backup are taken in", "payments: found,", "payments: [],", "KEY-09: sells nothing"],
  ]),
  ...at("server/grants/payment/recall.ts", [
    [
      "a sale that the books lost is answered",
      'if (grant.ended?.reason === "lost") throw new Refusal("grant_lost")',
      "",
      "KEY-09: sells nothing",
    ],
  ]),
  ...at("server/grants/refresh-token.ts", [
    [
      "a grant that the books lost is not bought again by a machine",
      'throw new Refusal("grant_lost")',
      'throw new Refusal("refresh_token_invalid")',
      "KEY-09: sells nothing",
    ],
  ]),
]
