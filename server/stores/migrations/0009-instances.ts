/** Migration 9: the running instances of the service. */
import type { Migration } from "./migration.ts"

export const migration: Migration = {
  name: "instances",
  sqlite: `
CREATE TABLE instances (
  id TEXT PRIMARY KEY,
  seen_at INTEGER NOT NULL CHECK (seen_at >= 0)
) STRICT;
`,
}
