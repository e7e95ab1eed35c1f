/** Removes the defences that postgres.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/stores/postgres/connections.ts", [
    [
      "a server that forgets commits is refused",
      'if (found[name] === "off")',
      "if (found[name] === undefined)",
      "that answers a COMMIT before",
    ],
  ]),
  ...at("server/stores/postgres/transactions.ts", [
    [
      "a COMMIT that was carried out is found",
      "!(await hasCommitted(writer))",
      "(await hasCommitted(writer)) !== undefined",
      "the server has it loses and doubles nothing",
    ],
    [
      "a COMMIT that never arrived is not guessed",
      "!(await hasCommitted(writer))",
      "(await hasCommitted(writer)) === undefined",
      "the server has it loses and doubles nothing",
    ],
    [
      "a COMMIT is believed by its command tag",
      'if (command !== "COMMIT")',
      "if (command === undefined)",
      "whose statement failed",
    ],
    ["writers take turns", '${inTurn ? lockTurn : ""}', "", "MI-10: counts the unsettled"],
  ]),
  ...at("server/stores/postgres/ledger.ts", [
    ["sequences in commit order", "await client.query(lockLedger)", "", "MI-06: readers miss no"],
  ]),
  ...at("server/stores/postgres/row-locks.ts", [
    ["units are lent under the lock of their grant", "  grantQueries.byId,\n", "", "MI-10: lends the units"],
  ]),
  ...at("server/stores/postgres/lane.ts", [
    [
      "orders with one hash do not share a batch",
      "names.some((name) => touched.has(name))",
      "names.length > 99",
      "are decided one after the other",
    ],
  ]),
  ...at("server/stores/postgres/schema.ts", [
    [
      "another program's database is left alone",
      "if (found?.others !== 0n)",
      "if (found === undefined)",
      "of another program, which stays",
    ],
  ]),
]
