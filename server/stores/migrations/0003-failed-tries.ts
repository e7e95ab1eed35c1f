/** Migration 3: the code of a payer, and the gas of tries that did not pay. */
import type { Migration } from "./migration.ts"

export const migration: Migration = {
  name: "failed-tries",
  sqlite: `
-- Hash of the payer's code at the sale; null for a plain account.
ALTER TABLE redemptions ADD COLUMN payer_code TEXT CHECK (length(payer_code) = 66 AND payer_code GLOB '0x*');

-- Of the last hour.
CREATE TABLE failed_tries (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL CHECK (at >= 0),
  payer TEXT NOT NULL CHECK (length(payer) = 42 AND payer GLOB '0x*'),
  payer_code TEXT CHECK (length(payer_code) = 66 AND payer_code GLOB '0x*'),
  gas TEXT NOT NULL CHECK (gas GLOB '[1-9]*' AND gas NOT GLOB '*[^0-9]*')
) STRICT;
CREATE INDEX failed_tries_by_time ON failed_tries (at);
`,
}
