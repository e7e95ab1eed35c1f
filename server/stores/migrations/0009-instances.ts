/** Migration 9: the running instances of the service, and the database that books were moved to. */
import type { Migration } from "./migration.ts"

export const migration: Migration = {
  name: "instances",
  sqlite: `
CREATE TABLE instances (
  id TEXT PRIMARY KEY,
  seen_at INTEGER NOT NULL CHECK (seen_at >= 0)
) STRICT;

ALTER TABLE identity ADD COLUMN moved_to TEXT;
`,
}
