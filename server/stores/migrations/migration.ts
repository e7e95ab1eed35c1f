/** A step of the schema, and which steps a database still needs. */
import { createHash } from "node:crypto"
import { StoreFileError } from "../../ports/store.ts"
import { postgresOf } from "./dialect.ts"

/**
 * Its place in the list is its number. Its text never changes once it has landed: databases remember its checksum, and one
 * that ran another text would silently lack what this release relies on.
 */
export type Migration = {
  readonly name: string
  readonly sqlite: string
  /** Where the rules of `dialect.ts` do not make it from the other; it must leave the same columns and constraints. */
  readonly postgres?: string
}

export type Dialect = "sqlite" | "postgres"

export const scriptOf = (migration: Migration, dialect: Dialect): string =>
  dialect === "sqlite" ? migration.sqlite : (migration.postgres ?? postgresOf(migration.sqlite))

/** A migration that a database has run. */
export type Applied = { readonly number: number; readonly checksum: string }

export const checksumOf = (script: string): string => createHash("sha256").update(script).digest("hex")

/**
 * The migrations that are still to run, as `[number, migration]`. Throws {@link StoreFileError} for a database that is newer
 * than this release or that ran another text; `place` is the database as it was configured.
 */
export function pendingMigrations(
  known: readonly Migration[],
  applied: readonly Applied[],
  place: string,
  dialect: Dialect,
): readonly (readonly [number, Migration])[] {
  for (const { number, checksum } of applied) {
    const migration = known[number - 1]
    if (!migration)
      throw new StoreFileError(
        `${place}: found schema version ${number}, this release of ticket402 knows up to ${known.length}; upgrade it`,
      )
    if (checksumOf(scriptOf(migration, dialect)) !== checksum)
      throw new StoreFileError(
        `${place}: found migration ${number} (${migration.name}) run with another text, wanted that of this release`,
      )
  }
  return known.map((migration, index) => [index + 1, migration] as const).slice(applied.length)
}
