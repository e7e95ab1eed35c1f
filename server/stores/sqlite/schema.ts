/** Brings a SQLite database to the current schema, one migration in each transaction. */
import type BetterSqlite3 from "better-sqlite3"
import { StoreFileError } from "../../ports/store.ts"
import { migrations as all } from "../migrations/index.ts"
import { type Applied, checksumOf, type Migration, pendingMigrations } from "../migrations/migration.ts"

/** `t402` in ASCII, in the file's header: another program's database is not touched. */
const applicationId = 0x74343032
/** `user_version` of a database that lists its migrations; releases without migrations know up to 4 and refuse it. */
const listsMigrations = 5
/** `user_version` of the books before: migration 1 made them. */
const beforeMigrations = 4

/**
 * Runs the migrations that are missing; of several processes that start at once, one does it. Throws
 * {@link StoreFileError} for a database of another program or of a newer release, and changes nothing then.
 */
export function migrate(
  db: BetterSqlite3.Database,
  file: string,
  migrations: readonly Migration[] = all,
): void {
  if (missing(db, file, migrations).length === 0) return
  // A migration may rebuild a table that others refer to; foreign keys are checked before COMMIT.
  db.pragma("foreign_keys = OFF")
  try {
    while (migrateOnce(db, file, migrations));
  } finally {
    db.pragma("foreign_keys = ON")
  }
}

/** False when nothing was missing. The lock comes first, so no other process runs the same migration. */
function migrateOnce(db: BetterSqlite3.Database, file: string, migrations: readonly Migration[]): boolean {
  return db
    .transaction(() => {
      const [next] = missing(db, file, migrations)
      if (!next) return false
      const [number, migration] = next
      db.exec(migration.sqlite)
      note(db, number, migrations)
      const broken = db.pragma("foreign_key_check") as readonly unknown[]
      if (broken.length > 0)
        throw new StoreFileError(
          `${file}: migration ${number} (${migration.name}) would leave ${broken.length} rows without their parents`,
        )
      return true
    })
    .immediate()
}

/** Lists the migration as run, with those of the books before there was a list. */
function note(db: BetterSqlite3.Database, number: number, migrations: readonly Migration[]): void {
  db.exec(`
    CREATE TABLE IF NOT EXISTS migrations (
      number INTEGER PRIMARY KEY CHECK (number > 0),
      name TEXT NOT NULL,
      checksum TEXT NOT NULL
    ) STRICT;
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${listsMigrations};`)
  const insert = db.prepare("INSERT OR IGNORE INTO migrations (number, name, checksum) VALUES (?, ?, ?)")
  for (const [index, { name, sqlite }] of migrations.slice(0, number).entries())
    insert.run(index + 1, name, checksumOf(sqlite))
}

/** The migrations that the database needs; throws for one that must not be touched. */
export const missing = (
  db: BetterSqlite3.Database,
  file: string,
  migrations: readonly Migration[] = all,
): ReturnType<typeof pendingMigrations> =>
  // One snapshot: another process may migrate between two of the looks.
  db.transaction(() => pendingMigrations(migrations, appliedIn(db, file, migrations), file, "sqlite"))()

function appliedIn(
  db: BetterSqlite3.Database,
  file: string,
  migrations: readonly Migration[],
): readonly Applied[] {
  const version = Number(db.pragma("user_version", { simple: true }))
  const application = Number(db.pragma("application_id", { simple: true }))
  const isEmpty = db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined
  if (isEmpty && version === 0) return []
  if (application !== applicationId)
    throw new StoreFileError(`${file}: found a database of another program, wanted one of ticket402`)
  if (version > listsMigrations)
    throw new StoreFileError(
      `${file}: found database version ${version}, this release of ticket402 knows up to ${listsMigrations}; upgrade it`,
    )
  if (version < beforeMigrations)
    throw new StoreFileError(
      `${file}: found database version ${version} of a development version, wanted ${beforeMigrations} or later; start with a new file`,
    )
  if (version === beforeMigrations) return migrations.slice(0, 1).map(firstOf)
  const rows = db.prepare<[], { number: number | bigint; checksum: string }>(
    "SELECT number, checksum FROM migrations ORDER BY number",
  )
  return rows.all().map(({ number, checksum }) => ({ number: Number(number), checksum }))
}

const firstOf = ({ sqlite }: Migration): Applied => ({ number: 1, checksum: checksumOf(sqlite) })
