/** Migration 5: how many payments of each payer failed after their token was issued. */
import type { Migration } from "./migration.ts"

export const migration: Migration = {
  name: "failed-payers",
  sqlite: `
ALTER TABLE payers ADD COLUMN failed INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0);
UPDATE payers SET failed = (
  SELECT count(*) FROM redemptions
  WHERE redemptions.payer = payers.address AND state = 'failed' AND policy = 'background'
);
`,
}
