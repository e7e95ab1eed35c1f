/** Removes the defences that sqlite.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/stores/migrations/0001-books.ts", [
    ["a redemption key is unique", "key TEXT NOT NULL UNIQUE,", "key TEXT NOT NULL,", "RPL-02"],
    [
      "evidence is unique",
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
    ["synchronous is read back", "if (found !== readBack)", "if (false)", "a handle whose synchronous"],
    ["no database on a network file system", "checkFileSystem(file, fileSystemOf(folder))", "", "KEY-10"],
  ]),
  ...at("server/stores/sqlite/group.ts", [
    [
      "a group with a failed call is undone before it is repeated",
      "if (answers) commit.run()",
      "if (answers || true) commit.run()",
      "undoes a call that fails",
    ],
  ]),
  ...at("server/stores/records/ledger.ts", [
    [
      "a subject's grants are listed without scanning all grants",
      "ORDER BY +rowid",
      "ORDER BY rowid",
      "scan a growing table",
    ],
  ]),
]
