/** Migration 7: entries name the payment they are about, for filters; readers keep their place over restarts. */
import type { Migration } from "./migration.ts"

export const migration: Migration = {
  name: "ledger-readers",
  sqlite: `
ALTER TABLE entries ADD COLUMN network TEXT;
ALTER TABLE entries ADD COLUMN asset TEXT;
ALTER TABLE entries ADD COLUMN payer TEXT;
ALTER TABLE entries ADD COLUMN offer TEXT;
UPDATE entries SET
  network = (SELECT redemptions.network FROM redemptions WHERE redemptions.key = entries.redemption_key),
  asset = (SELECT redemptions.asset FROM redemptions WHERE redemptions.key = entries.redemption_key),
  payer = (SELECT redemptions.payer FROM redemptions WHERE redemptions.key = entries.redemption_key),
  offer = coalesce(
    facts ->> 'offer',
    (SELECT sale.facts ->> 'offer' FROM entries AS sale
      WHERE sale.redemption_key = entries.redemption_key AND sale.kind IN ('redeemed', 'claimed')),
    (SELECT grants.offer FROM grants WHERE grants.id = entries.grant_id)
  );

-- For the first entry of a period. It grows at its end only, so it costs a sale little.
CREATE INDEX entries_by_time ON entries (at);

-- Every generation of these books, with the last entry before it began.
CREATE TABLE generations (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  generation TEXT NOT NULL UNIQUE,
  since INTEGER NOT NULL CHECK (since >= 0)
) STRICT;
INSERT INTO generations (generation, since)
  SELECT generation, (SELECT coalesce(max(sequence), 0) FROM entries) FROM identity;
`,
}
