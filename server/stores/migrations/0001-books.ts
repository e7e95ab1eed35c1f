/** Migration 1: the books as they were before there were migrations. */
import { postgresOf } from "./dialect.ts"
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

const sqlite = `
CREATE TABLE offers (
  id INTEGER PRIMARY KEY,
  ref TEXT NOT NULL UNIQUE,
  content TEXT NOT NULL CHECK (json_valid(content)),
  replaced_at INTEGER
) STRICT;

CREATE TABLE grants (
  id TEXT PRIMARY KEY,
  offer TEXT,
  scope TEXT NOT NULL,
  subject TEXT NOT NULL,
  paid INTEGER NOT NULL CHECK (paid IN (0, 1)),
  ${instant("starts_at")},
  ${instant("expires_at")},
  opening TEXT,
  idempotency_hash TEXT,
  units_given INTEGER,
  units_left INTEGER CHECK (units_left >= -units_held),
  units_held INTEGER CHECK (units_held >= 0),
  units_spent INTEGER CHECK (units_spent >= 0),
  key_thumbprint TEXT,
  parent TEXT REFERENCES grants (id),
  generation INTEGER NOT NULL CHECK (generation >= 0),
  token_jti TEXT,
  token_issued_at INTEGER,
  token_expires_at INTEGER,
  token_settled INTEGER CHECK (token_settled IN (0, 1)),
  end_reason TEXT CHECK (end_reason IN ('settlement_failed', 'refresh_token_reused', 'revoked', 'delisted', 'lost')),
  ended_at INTEGER,
  CHECK ((end_reason IS NULL) = (ended_at IS NULL)),
  CHECK ((token_jti IS NULL) = (token_issued_at IS NULL) AND (token_jti IS NULL) = (token_expires_at IS NULL)
    AND (token_jti IS NULL) = (token_settled IS NULL)),
  CHECK ((units_given IS NULL) = (units_left IS NULL) AND (units_given IS NULL) = (units_held IS NULL)
    AND (units_given IS NULL) = (units_spent IS NULL)),
  CHECK (units_given IS NULL OR units_given = units_left + units_held + units_spent)
) STRICT;
CREATE INDEX grants_by_idempotency ON grants (idempotency_hash, starts_at) WHERE idempotency_hash IS NOT NULL;

-- Those that may still have living tokens are the newest few.
CREATE INDEX grants_by_expiry ON grants (expires_at);
CREATE INDEX grants_unissued ON grants (starts_at) WHERE token_jti IS NULL;
CREATE INDEX grants_by_parent ON grants (parent, token_issued_at) WHERE parent IS NOT NULL;
CREATE INDEX grants_by_opening ON grants (opening) WHERE opening IS NOT NULL;

-- Units that gates hold; what is left of a gate that crashed stays.
CREATE TABLE slices (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  grant_id TEXT NOT NULL REFERENCES grants (id),
  holder TEXT NOT NULL,
  units INTEGER NOT NULL CHECK (units > 0),
  spent INTEGER NOT NULL CHECK (spent >= 0),
  unused INTEGER NOT NULL CHECK (unused >= 0),
  ${instant("taken_at")},
  CHECK (spent + unused < units)
) STRICT;
CREATE INDEX slices_by_grant ON slices (grant_id);

CREATE TABLE transactions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  network TEXT NOT NULL,
  ${hex("relayer", 20)},
  nonce INTEGER NOT NULL CHECK (nonce >= 0),
  state TEXT NOT NULL CHECK (state IN ('signed', 'broadcast', 'done')),
  ${hex("recipient", 20)},
  data TEXT NOT NULL,
  ${decimal("gas")},
  ${instant("stored_at")},
  sent_at INTEGER,
  UNIQUE (network, relayer, nonce)
) STRICT;
CREATE INDEX transactions_in_flight ON transactions (network, nonce) WHERE state IN ('signed', 'broadcast');

CREATE TABLE versions (
  id INTEGER PRIMARY KEY,
  transaction_id INTEGER NOT NULL REFERENCES transactions (id),
  hash TEXT NOT NULL,
  raw TEXT NOT NULL,
  ${decimal("max_fee")},
  ${decimal("max_priority_fee")}
) STRICT;
CREATE INDEX versions_by_transaction ON versions (transaction_id);

CREATE TABLE nonces (
  network TEXT NOT NULL,
  relayer TEXT NOT NULL,
  next INTEGER NOT NULL CHECK (next >= 0),
  PRIMARY KEY (network, relayer)
) STRICT;

CREATE TABLE redemptions (
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
  state TEXT NOT NULL CHECK (state IN ('accepted', 'sent', 'mined', 'paid', 'final', 'failed', 'dead', 'free')),
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
  CHECK ((top_up IS NULL) = (opening IS NULL) AND (top_up IS NOT NULL OR stands = 1)),
  CHECK (state <> 'free' OR signature = '0x'),
  CHECK (due_at IS NULL OR state IN ('accepted', 'failed')),
  CHECK (due_at IS NOT NULL OR state <> 'accepted'),
  CHECK ((state = 'failed') = (failure IS NOT NULL)),
  CHECK ((state IN ('mined', 'paid', 'final')) = (transaction_hash IS NOT NULL)),
  CHECK ((transaction_hash IS NULL) = (log_index IS NULL) AND (transaction_hash IS NULL) = (block_number IS NULL)
    AND (transaction_hash IS NULL) = (block_hash IS NULL))
) STRICT;
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

-- Every transaction a redemption ever was in.
CREATE TABLE rides (
  redemption_key TEXT NOT NULL REFERENCES redemptions (key),
  transaction_id INTEGER NOT NULL REFERENCES transactions (id),
  PRIMARY KEY (redemption_key, transaction_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  ${instant("at")},
  kind TEXT NOT NULL CHECK (kind IN ('redeemed', 'settled', 'failed', 'reopened', 'dead', 'retried', 'ended', 'imported',
    'admitted', 'token_revoked', 'revoked', 'credited', 'derived', 'topped_up', 'taken_back', 'whitelist_added', 'whitelist_removed')),
  grant_id TEXT REFERENCES grants (id),
  redemption_key TEXT REFERENCES redemptions (key),
  facts TEXT NOT NULL CHECK (json_valid(facts)),
  CHECK ((grant_id IS NULL) = (kind IN ('revoked', 'whitelist_added', 'whitelist_removed')))
) STRICT;
CREATE INDEX entries_of_whitelist ON entries (sequence) WHERE kind IN ('whitelist_added', 'whitelist_removed');
CREATE INDEX entries_of_redemption ON entries (redemption_key, kind) WHERE redemption_key IS NOT NULL;
CREATE UNIQUE INDEX entries_ended ON entries (grant_id) WHERE kind = 'ended';

-- What gates must know; a row dies with the last token it could concern.
CREATE TABLE revocations (
  sequence INTEGER PRIMARY KEY REFERENCES entries (sequence),
  content TEXT NOT NULL CHECK (json_valid(content)),
  jti TEXT UNIQUE,
  ${instant("expires_at")}
) STRICT;
CREATE INDEX revocations_by_expiry ON revocations (expires_at);
CREATE INDEX revocations_of_tokens ON revocations (content ->> 'grantId') WHERE content ->> 'kind' = 'tokens';

-- Removed entries stay: no restart brings back what a command removed.
CREATE TABLE whitelist (
  id TEXT PRIMARY KEY,
  secret_sha256 TEXT CHECK (length(secret_sha256) = 64 AND secret_sha256 NOT GLOB '*[^0-9a-f]*'),
  scope TEXT NOT NULL,
  changed_by TEXT NOT NULL CHECK (changed_by IN ('configuration', 'command')),
  ${instant("listed_at")},
  removed_at INTEGER
) STRICT;

-- What may be used once, until it is of no use anyway.
CREATE TABLE used_keys (
  id INTEGER PRIMARY KEY,
  used TEXT NOT NULL UNIQUE,
  ${instant("until")}
) STRICT;
CREATE INDEX used_keys_by_end ON used_keys (until);

-- What SUM and COUNT over the rows would give, changed with them: of everybody, and of each payer.
CREATE TABLE totals (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ${decimal("unsettled")},
  ${decimal("lost")},
  queued INTEGER NOT NULL CHECK (queued >= 0)
) STRICT;
INSERT INTO totals VALUES (1, '0', '0', 0);

CREATE TABLE payers (
  ${hex("address", 20)} PRIMARY KEY,
  ${decimal("unsettled")},
  open INTEGER NOT NULL CHECK (open >= 0),
  settled INTEGER NOT NULL CHECK (settled >= 0)
) STRICT;

-- Of the last day: what totals.lost is the sum of.
CREATE TABLE losses (
  redemption_key TEXT PRIMARY KEY REFERENCES redemptions (key),
  ${instant("at")},
  ${decimal("nominal")}
) STRICT;
CREATE INDEX losses_by_time ON losses (at);

CREATE TABLE breaker (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ${instant("last_loss_at")},
  minute INTEGER NOT NULL CHECK (minute >= 0),
  probes INTEGER NOT NULL CHECK (probes >= 0)
) STRICT;
INSERT INTO breaker VALUES (1, 0, 0, 0);

-- Every payment from since_block to done_block is in the books.
CREATE TABLE progress (
  network TEXT PRIMARY KEY,
  since_block INTEGER NOT NULL CHECK (since_block >= 0),
  done_block INTEGER NOT NULL CHECK (done_block >= since_block)
) STRICT;

CREATE TABLE lease (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  holder TEXT NOT NULL,
  fence INTEGER NOT NULL CHECK (fence >= 0),
  granted_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
INSERT INTO lease VALUES (1, '', 0, 0, 0);
`

export const migration: Migration = {
  name: "books",
  sqlite,
  // SQLite numbers the rows of a table with a TEXT key by itself.
  postgres: `${postgresOf(sqlite)}
ALTER TABLE grants ADD COLUMN rowid BIGINT GENERATED ALWAYS AS IDENTITY;
`,
}
