/** Migration 8: payments are suspended before they fail, and a grant that ended goes on when its money comes late. */
import type { Migration } from "./migration.ts"

/** A canonical decimal of at most 78 digits (a uint256); TEXT, because SQLite's integers end at 2^63. */
const decimal = (column: string) =>
  `${column} TEXT NOT NULL CHECK (length(${column}) BETWEEN 1 AND 78 AND ${column} NOT GLOB '*[^0-9]*'
    AND (${column} = '0' OR ${column} NOT GLOB '0*'))`

/** Lower-case hex after 0x, of so many bytes. */
const hex = (column: string, bytes: number) =>
  `${column} TEXT NOT NULL CHECK (length(${column}) = ${2 + bytes * 2} AND ${column} GLOB '0x*'
    AND substr(${column}, 3) NOT GLOB '*[^0-9a-f]*')`

const instant = (column: string) => `${column} INTEGER NOT NULL CHECK (${column} >= 0)`

export const migration: Migration = {
  name: "suspended",
  sqlite: `
CREATE TABLE new_redemptions (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  grant_id TEXT NOT NULL REFERENCES grants (id),
  network TEXT NOT NULL,
  scheme TEXT NOT NULL,
  ${hex("asset", 20)},
  ${hex("payer", 20)},
  ${hex("pay_to", 20)},
  ${decimal("value")},
  ${decimal("valid_after")},
  ${decimal("valid_before")},
  ${hex("nonce", 32)},
  signature TEXT NOT NULL,
  ${decimal("nominal")},
  policy TEXT NOT NULL CHECK (policy IN ('background', 'first')),
  state TEXT NOT NULL CHECK (state IN ('accepted', 'sent', 'mined', 'suspended', 'paid', 'final', 'failed', 'dead', 'free')),
  from_block INTEGER NOT NULL CHECK (from_block >= 0),
  ${instant("accepted_at")},
  due_at INTEGER,
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  transaction_id INTEGER REFERENCES transactions (id),
  transaction_hash TEXT,
  log_index INTEGER,
  block_number INTEGER,
  block_hash TEXT,
  failure TEXT CHECK (failure IN ('cancelled', 'diverted', 'short', 'insufficient_funds', 'expired',
    'contract_payer', 'refused_by_asset')),
  last_error TEXT CHECK (length(last_error) <= 200),
  top_up TEXT CHECK (json_valid(top_up)),
  opening TEXT,
  stands INTEGER NOT NULL CHECK (stands IN (0, 1)),
  payer_code TEXT CHECK (length(payer_code) = 66 AND payer_code GLOB '0x*'),
  CHECK ((top_up IS NULL) = (opening IS NULL) AND (top_up IS NOT NULL OR stands = 1)),
  CHECK (state <> 'free' OR signature = '0x'),
  CHECK (due_at IS NULL OR state IN ('accepted', 'suspended', 'failed')),
  CHECK (due_at IS NOT NULL OR state <> 'accepted'),
  CHECK (state <> 'suspended' OR (due_at IS NULL) = (transaction_id IS NOT NULL)),
  CHECK (state <> 'failed' OR failure IS NOT NULL),
  CHECK ((state IN ('mined', 'paid', 'final')) = (transaction_hash IS NOT NULL)),
  CHECK ((transaction_hash IS NULL) = (log_index IS NULL) AND (transaction_hash IS NULL) = (block_number IS NULL)
    AND (transaction_hash IS NULL) = (block_hash IS NULL))
) STRICT;
INSERT INTO new_redemptions (id, key, grant_id, network, scheme, asset, payer, pay_to, value, valid_after, valid_before,
  nonce, signature, nominal, policy, state, from_block, accepted_at, due_at, attempts, transaction_id, transaction_hash,
  log_index, block_number, block_hash, failure, last_error, top_up, opening, stands, payer_code)
SELECT id, key, grant_id, network, scheme, asset, payer, pay_to, value, valid_after, valid_before,
  nonce, signature, nominal, policy, state, from_block, accepted_at, due_at, attempts, transaction_id, transaction_hash,
  log_index, block_number, block_hash, failure, last_error, top_up, opening, stands, payer_code
FROM redemptions;
DROP TABLE redemptions;
ALTER TABLE new_redemptions RENAME TO redemptions;
-- One payment opens a grant, and further ones add to it.
CREATE UNIQUE INDEX redemptions_opening_grants ON redemptions (grant_id) WHERE top_up IS NULL;
CREATE INDEX redemptions_by_grant ON redemptions (grant_id);
CREATE INDEX redemptions_by_opening ON redemptions (opening) WHERE opening IS NOT NULL;
-- One Transfer pays for one redemption.
CREATE UNIQUE INDEX redemptions_by_evidence ON redemptions (network, transaction_hash, log_index)
  WHERE transaction_hash IS NOT NULL;
CREATE INDEX redemptions_due ON redemptions (network, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX redemptions_pending ON redemptions (network, asset, payer, block_number)
  WHERE state NOT IN ('failed', 'free');
CREATE INDEX redemptions_mined ON redemptions (network) WHERE state = 'mined';
CREATE INDEX redemptions_paid ON redemptions (network, block_number, block_hash) WHERE state = 'paid';
CREATE INDEX redemptions_by_transaction ON redemptions (transaction_id) WHERE transaction_id IS NOT NULL;

CREATE INDEX redemptions_suspended ON redemptions (network, due_at) WHERE state = 'suspended';
CREATE INDEX redemptions_suspended_of_grant ON redemptions (grant_id) WHERE state = 'suspended';

-- A grant that goes on may end once more.
DROP INDEX entries_ended;
`,
  postgres: `
ALTER TABLE redemptions
  DROP CONSTRAINT redemptions_state_check,
  DROP CONSTRAINT redemptions_check2,
  DROP CONSTRAINT redemptions_check4,
  ADD CHECK (state IN ('accepted', 'sent', 'mined', 'suspended', 'paid', 'final', 'failed', 'dead', 'free')),
  ADD CHECK (due_at IS NULL OR state IN ('accepted', 'suspended', 'failed')),
  ADD CHECK (state <> 'suspended' OR (due_at IS NULL) = (transaction_id IS NOT NULL)),
  ADD CHECK (state <> 'failed' OR failure IS NOT NULL);
CREATE INDEX redemptions_suspended ON redemptions (network, due_at) WHERE state = 'suspended';
CREATE INDEX redemptions_suspended_of_grant ON redemptions (grant_id) WHERE state = 'suspended';
DROP INDEX entries_ended;
`,
}
