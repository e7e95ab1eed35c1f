/** Migration 4: the books name their service, their keys and their generation; a grant names its resource. */
import type { Migration } from "./migration.ts"

export const migration: Migration = {
  name: "identity",
  sqlite: `
CREATE TABLE identity (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  generation TEXT NOT NULL,
  issuer TEXT,
  ring TEXT,
  pay_to TEXT,
  CHECK ((issuer IS NULL) = (ring IS NULL) AND (issuer IS NULL) = (pay_to IS NULL))
) STRICT;
INSERT INTO identity (id, generation) VALUES (1, lower(hex(randomblob(16))));

ALTER TABLE grants ADD COLUMN resource TEXT;

-- Without the list of kinds, which only the code needs to know: a new kind is no reason to rebuild the ledger.
CREATE TABLE new_entries (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL CHECK (at >= 0),
  kind TEXT NOT NULL CHECK (kind <> ''),
  grant_id TEXT REFERENCES grants (id),
  redemption_key TEXT REFERENCES redemptions (key),
  facts TEXT NOT NULL CHECK (json_valid(facts))
) STRICT;
INSERT INTO new_entries SELECT sequence, at, kind, grant_id, redemption_key, facts FROM entries;
DROP TABLE entries;
ALTER TABLE new_entries RENAME TO entries;
CREATE INDEX entries_of_whitelist ON entries (sequence) WHERE kind IN ('whitelist_added', 'whitelist_removed');
CREATE INDEX entries_of_redemption ON entries (redemption_key, kind) WHERE redemption_key IS NOT NULL;
CREATE UNIQUE INDEX entries_ended ON entries (grant_id) WHERE kind = 'ended';
`,
  postgres: `
CREATE TABLE identity (
  id BIGINT PRIMARY KEY CHECK (id = 1),
  generation TEXT COLLATE "C" NOT NULL,
  issuer TEXT COLLATE "C",
  ring TEXT COLLATE "C",
  pay_to TEXT COLLATE "C",
  CHECK ((issuer IS NULL) = (ring IS NULL) AND (issuer IS NULL) = (pay_to IS NULL))
);
INSERT INTO identity (id, generation) VALUES (1, replace(gen_random_uuid()::text, '-', ''));

ALTER TABLE grants ADD COLUMN resource TEXT COLLATE "C";

ALTER TABLE entries DROP CONSTRAINT entries_kind_check, DROP CONSTRAINT entries_check, ADD CHECK (kind <> '');
`,
}
