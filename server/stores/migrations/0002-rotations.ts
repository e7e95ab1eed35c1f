/** Migration 2: grants keep their last rotation, so that parallel refreshes of one owner get the same answer. */
import type { Migration } from "./migration.ts"

export const migration: Migration = {
  name: "rotations",
  sqlite: `
ALTER TABLE grants ADD COLUMN rotated_at INTEGER CHECK (rotated_at >= 0);
ALTER TABLE grants ADD COLUMN rotated_by TEXT;
ALTER TABLE grants ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0 CHECK (repeats >= 0);
`,
}
