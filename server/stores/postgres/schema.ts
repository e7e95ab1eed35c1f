/** Brings a PostgreSQL database to the current schema, in one transaction. */
import type { ClientBase } from "pg"
import { StoreFileError } from "../../ports/store.ts"
import { migrations as all } from "../migrations/index.ts"
import { checksumOf, type Migration, pendingMigrations, scriptOf } from "../migrations/migration.ts"

/**
 * Runs the migrations that are missing; of several processes that start at once, one does it. Throws {@link StoreFileError}
 * for a database of another program or of a newer release, and changes nothing then.
 */
export async function migrate(
  client: ClientBase,
  place: string,
  migrations: readonly Migration[] = all,
): Promise<void> {
  if ((await missing(client, place, migrations)).length === 0) return
  await client.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('ticket402'), hashtext(current_schema()))`)
  try {
    // Asked again: another process may have run them while this one waited.
    for (const [number, migration] of await missing(client, place, migrations)) {
      const script = scriptOf(migration, "postgres")
      if (number === 1) await client.query(ownTables)
      await client.query(script)
      await client.query("INSERT INTO ticket402_migrations (number, name, checksum) VALUES ($1, $2, $3)", [
        number,
        migration.name,
        checksumOf(script),
      ])
    }
    await client.query("COMMIT")
  } catch (error) {
    await client.query("ROLLBACK")
    throw error
  }
}

/** A writer's row says which of its transactions was the last to commit. */
const ownTables = `
  CREATE TABLE ticket402_migrations (
    number BIGINT PRIMARY KEY CHECK (number > 0),
    name TEXT NOT NULL,
    checksum TEXT NOT NULL
  );
  CREATE TABLE writers (id TEXT PRIMARY KEY, committed BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL);`

async function missing(
  client: ClientBase,
  place: string,
  migrations: readonly Migration[],
): Promise<ReturnType<typeof pendingMigrations>> {
  const { rows } = await client.query<{ ours: string | null; others: bigint }>(`
    SELECT to_regclass('ticket402_migrations')::text AS ours,
      (SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()) AS others`)
  const [found] = rows
  if (found?.ours == null) {
    if (found?.others !== 0n)
      throw new StoreFileError(`${place}: found a database of another program, wanted an empty one`)
    return pendingMigrations(migrations, [], place, "postgres")
  }
  const applied = await client.query<{ number: bigint; checksum: string }>(
    "SELECT number, checksum FROM ticket402_migrations ORDER BY number",
  )
  const known = applied.rows.map(({ number, checksum }) => ({ number: Number(number), checksum }))
  return pendingMigrations(migrations, known, place, "postgres")
}
