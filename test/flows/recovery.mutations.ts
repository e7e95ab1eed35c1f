/** Removes the defences that recovery.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/books/keeper.ts", [
    [
      "no sale before the store is complete",
      'if (!complete.has(network)) throw new Refusal("recovering")',
      "",
      "KEY-09: sells nothing",
    ],
  ]),
  ...at("server/books/catch-up.ts", [
    ["payments since the backup are imported", "payments: found,", "payments: [],", "KEY-09: sells nothing"],
  ]),
  ...at("server/grants/payment/recall.ts", [
    [
      "a lost sale is answered grant_lost",
      'if (grant.ended?.reason === "lost") throw new Refusal("grant_lost")',
      "",
      "KEY-09: sells nothing",
    ],
  ]),
  ...at("server/grants/refresh-token.ts", [
    [
      "a lost grant is not rebought automatically",
      'throw new Refusal("grant_lost")',
      'throw new Refusal("refresh_token_invalid")',
      "KEY-09: sells nothing",
    ],
  ]),
]
