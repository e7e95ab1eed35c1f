/** The ledger against the chain, after losses and restarts. */
import { at, type Mutation } from "../mutation.ts"

const recovery = "test/flows/recovery.test.ts"
const reconcile = "test/flows/reconcile.test.ts"

export const books: readonly Mutation[] = [
  ...at("server/books/keeper.ts", [
    [
      "no sale before the books are complete",
      'if (!complete.has(network)) throw new Refusal("recovering")',
      "",
      recovery,
      "KEY-09: sells nothing",
    ],
  ]),
  ...at("server/books/catch-up.ts", [
    [
      "payments since the backup are taken in",
      "payments: found,",
      "payments: [],",
      recovery,
      "KEY-09: sells nothing",
    ],
  ]),
  ...at("server/grants/payment/buyer.ts", [
    [
      "a sale that the books lost is answered",
      'if (grant.ended?.reason === "lost") throw new Refusal("grant_lost")',
      "",
      recovery,
      "KEY-09: sells nothing",
    ],
  ]),
  ...at("server/grants/refresh-token.ts", [
    [
      "a grant that the books lost is not bought again by a machine",
      'throw new Refusal("grant_lost")',
      'throw new Refusal("refresh_token_invalid")',
      recovery,
      "KEY-09: sells nothing",
    ],
  ]),
  ...at("server/core/reconciliation.ts", [
    [
      "money that is in no row is a difference",
      "const strange = paid.filter((each) => !agrees(each.row, each))",
      "const strange: readonly Paid[] = []",
      reconcile,
      "SET-45: names money",
    ],
    [
      "a paid row without its transfer is a difference",
      "const missing = proven.filter((row) => !agrees(row, byPlace.get(placeOf(row.evidence))))",
      "const missing: readonly Redemption[] = []",
      reconcile,
      "SET-45: names a row",
    ],
  ]),
  ...at("server/core/invariants.ts", [
    [
      "totals are held against the rows",
      "value !== unsettled,",
      "false,",
      reconcile,
      "names every invariant",
    ],
  ]),
  ...at("server/stores/sqlite/file.ts", [
    [
      "no database on a network file system",
      "checkFileSystem(file, fileSystemOf(folder))",
      "",
      "test/server/stores/sqlite.test.ts",
      "KEY-10",
    ],
  ]),
  ...at("server/stores/memory/books.ts", [
    [
      "what counts nothing lends nothing",
      "if (!meter) return 0",
      "",
      "test/contracts/store.test.ts",
      "may count calls",
    ],
  ]),
  ...at("server/stores/sqlite/records.ts", [
    [
      "no list of a subject's grants by looking at all grants",
      "ORDER BY +rowid",
      "ORDER BY rowid",
      "test/server/stores/sqlite.test.ts",
      "every row of a table that grows",
    ],
  ]),
]
