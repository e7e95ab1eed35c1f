/** Migration 6: the key ring of services whose keys are in the database, encrypted. */
import type { Migration } from "./migration.ts"

export const migration: Migration = {
  name: "key-ring",
  sqlite: `
CREATE TABLE key_ring (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL CHECK (number >= 0),
  sealed TEXT,
  CHECK ((number = 0) = (sealed IS NULL))
) STRICT;
INSERT INTO key_ring (id, number) VALUES (1, 0);
`,
}
