/** Removes the defences that foreign-books.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/commands/with-store.ts", [
    [
      "a command checks the owner of the books",
      "requireOwnBooks(placeOf(database), await store.identity(), { issuer, ring })",
      "",
      "KEY-15",
    ],
  ]),
  ...at("server/keys/ring-changes.ts", [
    [
      "a removed key leaves the name of the ring",
      "    ...ring,\n    access: own ?",
      "    access: own ?",
      "KEY-15: a removed key leaves the books",
    ],
  ]),
  ...at("server/commands/keys.ts", [
    [
      "the keys command checks the owner of the books",
      'if (!config.database.startsWith("memory:")) await withStore(config, async () => undefined)',
      "",
      "exits 78, names both issuers",
    ],
  ]),
]
