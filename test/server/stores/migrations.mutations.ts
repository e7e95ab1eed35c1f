/** Removes the defences that migrations.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/stores/migrations/migration.ts", [
    ["a newer schema is refused", "if (!migration)\n", "if (false)\n", "is refused with one line"],
    [
      "a changed migration is refused",
      "if (checksumOf(scriptOf(migration, dialect)) !== checksum)",
      "if (false)",
      "is refused with one line",
    ],
  ]),
  ...at("server/stores/sqlite/schema.ts", [
    ["no row without its parent", "if (broken.length > 0)", "if (false)", "never orphans a row"],
    [
      "one snapshot for all looks",
      'db.transaction(() => pendingMigrations(migrations, appliedIn(db, file, migrations), file, "sqlite"))()',
      'pendingMigrations(migrations, appliedIn(db, file, migrations), file, "sqlite")',
      "is not taken for an old one",
    ],
  ]),
]
