/** Removes the defences that sqlite.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/stores/sqlite/schema.ts", [
    ["unique redemption key", "key TEXT NOT NULL UNIQUE,", "key TEXT NOT NULL,", "RPL-02"],
    [
      "unique evidence",
      "CREATE UNIQUE INDEX redemptions_by_evidence",
      "CREATE INDEX redemptions_by_evidence",
      "RPL-02",
    ],
  ]),
  ...at("server/stores/sqlite/file.ts", [
    [
      "synchronous=FULL",
      '["synchronous", "FULL", "2"]',
      '["synchronous", "NORMAL", "1"]',
      "reads synchronous=FULL back",
    ],
    ["synchronous read back", "if (found !== readBack)", "if (false)", "does not go on with a handle"],
    ["no database on a network file system", "checkFileSystem(file, fileSystemOf(folder))", "", "KEY-10"],
  ]),
  ...at("server/stores/sqlite/records.ts", [
    [
      "no list of a subject's grants by looking at all grants",
      "ORDER BY +rowid",
      "ORDER BY rowid",
      "every row of a table that grows",
    ],
  ]),
]
