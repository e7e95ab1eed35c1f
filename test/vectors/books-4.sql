-- Books of the schema before there were migrations; written once, never changed.
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
  starts_at INTEGER NOT NULL CHECK (starts_at >= 0),
  expires_at INTEGER NOT NULL CHECK (expires_at >= 0),
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
CREATE TABLE slices (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  grant_id TEXT NOT NULL REFERENCES grants (id),
  holder TEXT NOT NULL,
  units INTEGER NOT NULL CHECK (units > 0),
  spent INTEGER NOT NULL CHECK (spent >= 0),
  unused INTEGER NOT NULL CHECK (unused >= 0),
  taken_at INTEGER NOT NULL CHECK (taken_at >= 0),
  CHECK (spent + unused < units)
) STRICT;
CREATE TABLE transactions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  network TEXT NOT NULL,
  relayer TEXT NOT NULL CHECK (length(relayer) = 42 AND relayer GLOB '0x*'
    AND substr(relayer, 3) NOT GLOB '*[^0-9a-f]*'),
  nonce INTEGER NOT NULL CHECK (nonce >= 0),
  state TEXT NOT NULL CHECK (state IN ('signed', 'broadcast', 'done')),
  recipient TEXT NOT NULL CHECK (length(recipient) = 42 AND recipient GLOB '0x*'
    AND substr(recipient, 3) NOT GLOB '*[^0-9a-f]*'),
  data TEXT NOT NULL,
  gas TEXT NOT NULL CHECK (length(gas) BETWEEN 1 AND 78 AND gas NOT GLOB '*[^0-9]*'
    AND (gas = '0' OR gas NOT GLOB '0*')),
  stored_at INTEGER NOT NULL CHECK (stored_at >= 0),
  sent_at INTEGER,
  UNIQUE (network, relayer, nonce)
) STRICT;
CREATE TABLE versions (
  id INTEGER PRIMARY KEY,
  transaction_id INTEGER NOT NULL REFERENCES transactions (id),
  hash TEXT NOT NULL,
  raw TEXT NOT NULL,
  max_fee TEXT NOT NULL CHECK (length(max_fee) BETWEEN 1 AND 78 AND max_fee NOT GLOB '*[^0-9]*'
    AND (max_fee = '0' OR max_fee NOT GLOB '0*')),
  max_priority_fee TEXT NOT NULL CHECK (length(max_priority_fee) BETWEEN 1 AND 78 AND max_priority_fee NOT GLOB '*[^0-9]*'
    AND (max_priority_fee = '0' OR max_priority_fee NOT GLOB '0*'))
) STRICT;
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
  asset TEXT NOT NULL CHECK (length(asset) = 42 AND asset GLOB '0x*'
    AND substr(asset, 3) NOT GLOB '*[^0-9a-f]*'),
  payer TEXT NOT NULL CHECK (length(payer) = 42 AND payer GLOB '0x*'
    AND substr(payer, 3) NOT GLOB '*[^0-9a-f]*'),
  pay_to TEXT NOT NULL CHECK (length(pay_to) = 42 AND pay_to GLOB '0x*'
    AND substr(pay_to, 3) NOT GLOB '*[^0-9a-f]*'),
  value TEXT NOT NULL CHECK (length(value) BETWEEN 1 AND 78 AND value NOT GLOB '*[^0-9]*'
    AND (value = '0' OR value NOT GLOB '0*')),
  valid_after TEXT NOT NULL CHECK (length(valid_after) BETWEEN 1 AND 78 AND valid_after NOT GLOB '*[^0-9]*'
    AND (valid_after = '0' OR valid_after NOT GLOB '0*')),
  valid_before TEXT NOT NULL CHECK (length(valid_before) BETWEEN 1 AND 78 AND valid_before NOT GLOB '*[^0-9]*'
    AND (valid_before = '0' OR valid_before NOT GLOB '0*')),
  nonce TEXT NOT NULL CHECK (length(nonce) = 66 AND nonce GLOB '0x*'
    AND substr(nonce, 3) NOT GLOB '*[^0-9a-f]*'),
  signature TEXT NOT NULL,
  nominal TEXT NOT NULL CHECK (length(nominal) BETWEEN 1 AND 78 AND nominal NOT GLOB '*[^0-9]*'
    AND (nominal = '0' OR nominal NOT GLOB '0*')),
  policy TEXT NOT NULL CHECK (policy IN ('background', 'first')),
  state TEXT NOT NULL CHECK (state IN ('accepted', 'sent', 'mined', 'paid', 'final', 'failed', 'dead', 'free')),
  from_block INTEGER NOT NULL CHECK (from_block >= 0),
  accepted_at INTEGER NOT NULL CHECK (accepted_at >= 0),
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
CREATE TABLE rides (
  redemption_key TEXT NOT NULL REFERENCES redemptions (key),
  transaction_id INTEGER NOT NULL REFERENCES transactions (id),
  PRIMARY KEY (redemption_key, transaction_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL CHECK (at >= 0),
  kind TEXT NOT NULL CHECK (kind IN ('redeemed', 'settled', 'failed', 'reopened', 'dead', 'retried', 'ended', 'imported',
    'admitted', 'token_revoked', 'revoked', 'credited', 'derived', 'topped_up', 'taken_back', 'whitelist_added', 'whitelist_removed')),
  grant_id TEXT REFERENCES grants (id),
  redemption_key TEXT REFERENCES redemptions (key),
  facts TEXT NOT NULL CHECK (json_valid(facts)),
  CHECK ((grant_id IS NULL) = (kind IN ('revoked', 'whitelist_added', 'whitelist_removed')))
) STRICT;
CREATE TABLE revocations (
  sequence INTEGER PRIMARY KEY REFERENCES entries (sequence),
  content TEXT NOT NULL CHECK (json_valid(content)),
  jti TEXT UNIQUE,
  expires_at INTEGER NOT NULL CHECK (expires_at >= 0)
) STRICT;
CREATE TABLE whitelist (
  id TEXT PRIMARY KEY,
  secret_sha256 TEXT CHECK (length(secret_sha256) = 64 AND secret_sha256 NOT GLOB '*[^0-9a-f]*'),
  scope TEXT NOT NULL,
  changed_by TEXT NOT NULL CHECK (changed_by IN ('configuration', 'command')),
  listed_at INTEGER NOT NULL CHECK (listed_at >= 0),
  removed_at INTEGER
) STRICT;
CREATE TABLE used_keys (
  id INTEGER PRIMARY KEY,
  used TEXT NOT NULL UNIQUE,
  until INTEGER NOT NULL CHECK (until >= 0)
) STRICT;
CREATE TABLE totals (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  unsettled TEXT NOT NULL CHECK (length(unsettled) BETWEEN 1 AND 78 AND unsettled NOT GLOB '*[^0-9]*'
    AND (unsettled = '0' OR unsettled NOT GLOB '0*')),
  lost TEXT NOT NULL CHECK (length(lost) BETWEEN 1 AND 78 AND lost NOT GLOB '*[^0-9]*'
    AND (lost = '0' OR lost NOT GLOB '0*')),
  queued INTEGER NOT NULL CHECK (queued >= 0)
) STRICT;
CREATE TABLE payers (
  address TEXT NOT NULL CHECK (length(address) = 42 AND address GLOB '0x*'
    AND substr(address, 3) NOT GLOB '*[^0-9a-f]*') PRIMARY KEY,
  unsettled TEXT NOT NULL CHECK (length(unsettled) BETWEEN 1 AND 78 AND unsettled NOT GLOB '*[^0-9]*'
    AND (unsettled = '0' OR unsettled NOT GLOB '0*')),
  open INTEGER NOT NULL CHECK (open >= 0),
  settled INTEGER NOT NULL CHECK (settled >= 0)
) STRICT;
CREATE TABLE losses (
  redemption_key TEXT PRIMARY KEY REFERENCES redemptions (key),
  at INTEGER NOT NULL CHECK (at >= 0),
  nominal TEXT NOT NULL CHECK (length(nominal) BETWEEN 1 AND 78 AND nominal NOT GLOB '*[^0-9]*'
    AND (nominal = '0' OR nominal NOT GLOB '0*'))
) STRICT;
CREATE TABLE breaker (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  last_loss_at INTEGER NOT NULL CHECK (last_loss_at >= 0),
  minute INTEGER NOT NULL CHECK (minute >= 0),
  probes INTEGER NOT NULL CHECK (probes >= 0)
) STRICT;
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
INSERT INTO offers VALUES (1, 'hour@00000000', '{"id":"hour","ref":"hour@00000000","scope":"movies:read","durationSeconds":3600,"units":null,"value":null,"settle":"background","dpop":"optional","prices":[{"network":"eip155:84532","scheme":"exact","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","amount":"10000","payTo":"0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","maxTimeoutSeconds":60}]}', NULL);
INSERT INTO grants VALUES ('3YpJSC0g0q4joOvyK6IPGA', 'hour@00000000', 'movies:read', 'eip155:84532:0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb', 1, 1700000000, 1700007200, '0xac696ac7411c91fcb49910137141a4d2e7ac1c637da3e4f7039c56fbeeeb2fb4', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, '4aPWj2pYq_fE7dk2j50BYQ', 1700000020, 1700000080, 0, NULL, NULL);
INSERT INTO grants VALUES ('7PuGMrCrQSQbliHtzbOSDA', 'hour@00000000', 'movies:read', 'eip155:84532:0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134', 1, 1700000000, 1700003600, '0x62bd3e449848cdcf570c55279318ac7affa5420922434740da13cf4aa9cb8e3a', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 'JD8OvCDkGcWW1TKcG-jvkw', 1700000000, 1700000060, 0, 'settlement_failed', 1700000010);
INSERT INTO grants VALUES ('RFOQPP_PW8xzOb4rmIcK7Q', 'hour@00000000', 'movies:read', 'eip155:84532:0xd67c8bc57050b5b01e991e2dda418bf8983a48bc', 1, 1700000000, 1700003600, '0x411932aba4d3945575ca5b72663ec59d52894d475573db23cef708ad58db7e32', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, '2YfMVkzgf4QQwhHDgdMMoA', 1700000000, 1700000060, 0, NULL, NULL);
INSERT INTO grants VALUES ('QfDVqVEVS82qqpDEFn5sEg', 'hour@00000000', 'movies:read', 'eip155:84532:0x0a4d5ca31783c02461cd072561dad5a192467b33', 1, 1700000000, 1700003600, '0xa6f5d0546c4757c51edb4ffa30be2484db5d1d483ae7212b64adfab324b0f3d0', NULL, 100, 84, 16, 0, NULL, NULL, 0, 'ETyUpqM8Nek8BI3A6JIqjw', 1700000000, 1700000060, 0, NULL, NULL);
INSERT INTO grants VALUES ('child', 'hour@00000000', 'movies:read', 'eip155:84532:0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb', 1, 1700000000, 1700000321, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '3YpJSC0g0q4joOvyK6IPGA', 0, 'child-jti', 1700000021, 1700000321, 0, NULL, NULL);
INSERT INTO grants VALUES ('E1De9TA9uDoH1OM8OJAKgQ', NULL, 'movies:read', 'billing', 0, 1700000000, 1700003600, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 'wmgsWhDMGVOXpMoGNhrhQw', 1700000000, 1700000060, 0, NULL, NULL);
INSERT INTO slices VALUES (1, 'QfDVqVEVS82qqpDEFn5sEg', 'gate', 16, 0, 0, 1700000022);
INSERT INTO transactions VALUES (1, 'eip155:84532', '0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 0, 'done', '0xcccccccccccccccccccccccccccccccccccccccc', '0xbb38d476747224a86c63dbbbe786f86ea8003319f4a567a62ba26aa8af93732ada961d7344e113538be4ae75a9b66b41a72a3900eea832eb666b16f38016c7a97e203e08', '100000', 1700000000, 1700000000);
INSERT INTO versions VALUES (1, 1, '0xae8c4a052d6f7c3784a2b1f12918bd6a8eec2bec9b2bff314b4d997dbd481839', '0x0544f32a1237e74a9f01f50b54a97b514c7c6729b44070a47c8ab6de4cab7dbd365a2bb6487371448d9fa137b266437e2093ea1133c121f6b2c2480c7b90c5f734d3406ef8bf2cc2b4a1cb8dc58bdc3d2dd368af064554cd8af5082742bda0a98b9d04491880e5a4cd499f9dd332', '2000000000', '1000000000');
INSERT INTO nonces VALUES ('eip155:84532', '0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 1);
INSERT INTO redemptions VALUES (1, 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb:0xcdd843d07891211c39e4608d6ea9c404f9bad6310a8a81bb2980e3d02060f736', '3YpJSC0g0q4joOvyK6IPGA', 'eip155:84532', 'exact', '0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb', '0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', '10000', '0', '1700000600', '0xcdd843d07891211c39e4608d6ea9c404f9bad6310a8a81bb2980e3d02060f736', '0x90fe8e44877492e67bfcb94d3a25c1e245571ea8ac3fd3e16927f0d52c9767b74d82fab7d01e164b3a58289e06f91f8d2553dc0016cd900a54d4f4850441863b2c', '10000', 'background', 'paid', 100, 1700000000, NULL, 0, 1, '0x4013f067c52072da18fdb3a363579d120e7fcf36af71d8eb3af8dee5ea914b9c', 1, 110, '0x202d36ddbfceee13b2f2432e31bbcc09dbcf98dc98f6a2b73428747790fa3953', NULL, NULL, NULL, NULL, 1);
INSERT INTO redemptions VALUES (2, 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134:0xc1e2b23404f6dc017abb644c3447192833db750467017932a52a9da7a7e3ecb1', '7PuGMrCrQSQbliHtzbOSDA', 'eip155:84532', 'exact', '0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134', '0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', '10000', '0', '1700000600', '0xc1e2b23404f6dc017abb644c3447192833db750467017932a52a9da7a7e3ecb1', '0x217a5ec4612b004be19837235d2ef16240756ec875fa4a2e2c9f261ba3bf7bf9cc450577c01a8632c07921896d92d4ae4ae9702c25f8886871cbadadb789af88c5', '10000', 'background', 'failed', 100, 1700000000, 1700000100, 0, NULL, NULL, NULL, NULL, NULL, 'expired', NULL, NULL, NULL, 1);
INSERT INTO redemptions VALUES (3, 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0xd67c8bc57050b5b01e991e2dda418bf8983a48bc:0xa53a5a72026841946f77e945dc19f94a6638fa576f39eb1c7089c72ae482b194', 'RFOQPP_PW8xzOb4rmIcK7Q', 'eip155:84532', 'exact', '0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '0xd67c8bc57050b5b01e991e2dda418bf8983a48bc', '0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', '10000', '0', '1700000600', '0xa53a5a72026841946f77e945dc19f94a6638fa576f39eb1c7089c72ae482b194', '0x0fd3fd232c2b3a91a467d36073e3ccb92ecb30c046608a6b9f27950efed544c2a85ee3f95f9c751f27c8d3b69bdab29e411e15938ce927f06691aba4be4efd7509', '10000', 'background', 'accepted', 100, 1700000000, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1);
INSERT INTO redemptions VALUES (4, 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x0a4d5ca31783c02461cd072561dad5a192467b33:0x64018adf22b32d497ec792888c59fc5e966802970c2027d41563dd8f145d5aac', 'QfDVqVEVS82qqpDEFn5sEg', 'eip155:84532', 'exact', '0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '0x0a4d5ca31783c02461cd072561dad5a192467b33', '0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', '10000', '0', '1700000600', '0x64018adf22b32d497ec792888c59fc5e966802970c2027d41563dd8f145d5aac', '0x24cd393f230edc92506cd182e40451adfcdd344a70cb5f56d13a9c0da42963428e6b50386eed77db21c78bd221513cbd2198a2c4909e5c23720127fff92df920fc', '10000', 'background', 'paid', 100, 1700000000, NULL, 0, 1, '0x43777d142b5f8bddfc8eea0fab8809ca232e2ce1615df1b36cafc5233c0aa721', 1, 110, '0x2d13e0bf03b6121afbd4a8e8b2060907424012d18daf466de87cc65ec767c002', NULL, NULL, NULL, NULL, 1);
INSERT INTO redemptions VALUES (5, 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x51ce3801c044d15c148b8bac67c72e8d6f2c4179:0x57620e474c1684c5fdf59ca290ecc704980d2717bf5707dd26323b681a7c894f', '3YpJSC0g0q4joOvyK6IPGA', 'eip155:84532', 'exact', '0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '0x51ce3801c044d15c148b8bac67c72e8d6f2c4179', '0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', '10000', '0', '1700000620', '0x57620e474c1684c5fdf59ca290ecc704980d2717bf5707dd26323b681a7c894f', '0x2853559503f91647997f2ec6fadd7d74bec5ba0803f6b7015207ae01696c36d3740efa21f7de886e09faa2b0ecf0be70eb421598589ac781fdc004ff39e2d93f06', '10000', 'background', 'accepted', 100, 1700000020, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{"opening":"0x4baf89e71fe7cffb0a6cb6ab1be70dcb3de4c8f41763bc6fd3fdb2f548120766","kind":"extends","offer":{"ref":"hour@00000000","scope":"movies:read","durationSeconds":3600,"units":null},"token":null,"gave":{"before":{"offer":"hour@00000000","scope":"movies:read","meter":null},"seconds":3600,"units":null,"basis":{"value":"19944","since":1700000020,"until":1700007200,"units":null}}}', '0x4baf89e71fe7cffb0a6cb6ab1be70dcb3de4c8f41763bc6fd3fdb2f548120766', 1);
INSERT INTO rides VALUES ('eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x0a4d5ca31783c02461cd072561dad5a192467b33:0x64018adf22b32d497ec792888c59fc5e966802970c2027d41563dd8f145d5aac', 1);
INSERT INTO rides VALUES ('eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb:0xcdd843d07891211c39e4608d6ea9c404f9bad6310a8a81bb2980e3d02060f736', 1);
INSERT INTO rides VALUES ('eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134:0xc1e2b23404f6dc017abb644c3447192833db750467017932a52a9da7a7e3ecb1', 1);
INSERT INTO entries VALUES (1, 1700000000, 'redeemed', '3YpJSC0g0q4joOvyK6IPGA', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb:0xcdd843d07891211c39e4608d6ea9c404f9bad6310a8a81bb2980e3d02060f736', '{"value":"10000","payer":"0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb","network":"eip155:84532","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","offer":"hour@00000000","paid":"true","settle":"background"}');
INSERT INTO entries VALUES (2, 1700000000, 'redeemed', '7PuGMrCrQSQbliHtzbOSDA', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134:0xc1e2b23404f6dc017abb644c3447192833db750467017932a52a9da7a7e3ecb1', '{"value":"10000","payer":"0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134","network":"eip155:84532","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","offer":"hour@00000000","paid":"true","settle":"background"}');
INSERT INTO entries VALUES (3, 1700000000, 'redeemed', 'RFOQPP_PW8xzOb4rmIcK7Q', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0xd67c8bc57050b5b01e991e2dda418bf8983a48bc:0xa53a5a72026841946f77e945dc19f94a6638fa576f39eb1c7089c72ae482b194', '{"value":"10000","payer":"0xd67c8bc57050b5b01e991e2dda418bf8983a48bc","network":"eip155:84532","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","offer":"hour@00000000","paid":"true","settle":"background"}');
INSERT INTO entries VALUES (4, 1700000000, 'redeemed', 'QfDVqVEVS82qqpDEFn5sEg', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x0a4d5ca31783c02461cd072561dad5a192467b33:0x64018adf22b32d497ec792888c59fc5e966802970c2027d41563dd8f145d5aac', '{"value":"10000","payer":"0x0a4d5ca31783c02461cd072561dad5a192467b33","network":"eip155:84532","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","offer":"hour@00000000","paid":"true","settle":"background"}');
INSERT INTO entries VALUES (5, 1700000010, 'settled', '3YpJSC0g0q4joOvyK6IPGA', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb:0xcdd843d07891211c39e4608d6ea9c404f9bad6310a8a81bb2980e3d02060f736', '{"value":"10000","payer":"0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb","network":"eip155:84532","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","transaction":"0x4013f067c52072da18fdb3a363579d120e7fcf36af71d8eb3af8dee5ea914b9c","block":"110"}');
INSERT INTO entries VALUES (6, 1700000010, 'settled', 'QfDVqVEVS82qqpDEFn5sEg', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x0a4d5ca31783c02461cd072561dad5a192467b33:0x64018adf22b32d497ec792888c59fc5e966802970c2027d41563dd8f145d5aac', '{"value":"10000","payer":"0x0a4d5ca31783c02461cd072561dad5a192467b33","network":"eip155:84532","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","transaction":"0x43777d142b5f8bddfc8eea0fab8809ca232e2ce1615df1b36cafc5233c0aa721","block":"110"}');
INSERT INTO entries VALUES (7, 1700000010, 'failed', '7PuGMrCrQSQbliHtzbOSDA', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134:0xc1e2b23404f6dc017abb644c3447192833db750467017932a52a9da7a7e3ecb1', '{"value":"10000","payer":"0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134","network":"eip155:84532","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","failure":"expired"}');
INSERT INTO entries VALUES (8, 1700000010, 'ended', '7PuGMrCrQSQbliHtzbOSDA', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134:0xc1e2b23404f6dc017abb644c3447192833db750467017932a52a9da7a7e3ecb1', '{"reason":"settlement_failed"}');
INSERT INTO entries VALUES (9, 1700000020, 'redeemed', '3YpJSC0g0q4joOvyK6IPGA', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x51ce3801c044d15c148b8bac67c72e8d6f2c4179:0x57620e474c1684c5fdf59ca290ecc704980d2717bf5707dd26323b681a7c894f', '{"value":"10000","payer":"0x51ce3801c044d15c148b8bac67c72e8d6f2c4179","network":"eip155:84532","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","offer":"hour@00000000","paid":"true","settle":"background","for":"3YpJSC0g0q4joOvyK6IPGA"}');
INSERT INTO entries VALUES (10, 1700000020, 'topped_up', '3YpJSC0g0q4joOvyK6IPGA', 'eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0x51ce3801c044d15c148b8bac67c72e8d6f2c4179:0x57620e474c1684c5fdf59ca290ecc704980d2717bf5707dd26323b681a7c894f', '{"value":"10000","payer":"0x51ce3801c044d15c148b8bac67c72e8d6f2c4179","network":"eip155:84532","asset":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","offer":"hour@00000000","seconds":"3600","credit":"9944"}');
INSERT INTO entries VALUES (11, 1700000021, 'derived', 'child', NULL, '{"parent":"3YpJSC0g0q4joOvyK6IPGA","scope":"movies:read","until":"1700000321"}');
INSERT INTO entries VALUES (12, 1700000000, 'whitelist_added', NULL, NULL, '{"entry":"billing","scope":"movies:read","by":"command"}');
INSERT INTO entries VALUES (13, 1700000005, 'admitted', 'E1De9TA9uDoH1OM8OJAKgQ', NULL, '{"client":"billing","scope":"movies:read"}');
INSERT INTO entries VALUES (14, 1700000030, 'token_revoked', 'QfDVqVEVS82qqpDEFn5sEg', NULL, '{"by":"holder","jti":"ETyUpqM8Nek8BI3A6JIqjw"}');
INSERT INTO revocations VALUES (8, '{"kind":"grant","grantId":"7PuGMrCrQSQbliHtzbOSDA","reason":"settlement_failed","expiresAt":1700003600}', NULL, 1700003600);
INSERT INTO revocations VALUES (14, '{"kind":"token","jti":"ETyUpqM8Nek8BI3A6JIqjw","expiresAt":1700000300}', 'ETyUpqM8Nek8BI3A6JIqjw', 1700000300);
INSERT INTO whitelist VALUES ('billing', 'abababababababababababababababababababababababababababababababab', 'movies:read', 'command', 1700000000, NULL);
INSERT INTO used_keys VALUES (1, 'proof', 1700000060);
INSERT INTO totals VALUES (1, '20000', '10000', 2);
INSERT INTO payers VALUES ('0x12d0caca1f209e1e9227ccec35b64e7b2123cfeb', '0', 0, 1);
INSERT INTO payers VALUES ('0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134', '0', 0, 0);
INSERT INTO payers VALUES ('0xd67c8bc57050b5b01e991e2dda418bf8983a48bc', '10000', 1, 0);
INSERT INTO payers VALUES ('0x0a4d5ca31783c02461cd072561dad5a192467b33', '0', 0, 1);
INSERT INTO payers VALUES ('0x51ce3801c044d15c148b8bac67c72e8d6f2c4179', '10000', 1, 0);
INSERT INTO losses VALUES ('eip3009:84532:0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0xc71194e4506b12be6aa9a3c5e9f4e3e0462f8134:0xc1e2b23404f6dc017abb644c3447192833db750467017932a52a9da7a7e3ecb1', 1700000010, '10000');
INSERT INTO breaker VALUES (1, 1700000010, 0, 0);
INSERT INTO lease VALUES (1, 'worker', 1, 1700000000, 1700000030);
CREATE INDEX grants_by_idempotency ON grants (idempotency_hash, starts_at) WHERE idempotency_hash IS NOT NULL;
CREATE INDEX grants_by_expiry ON grants (expires_at);
CREATE INDEX grants_unissued ON grants (starts_at) WHERE token_jti IS NULL;
CREATE INDEX grants_by_parent ON grants (parent, token_issued_at) WHERE parent IS NOT NULL;
CREATE INDEX grants_by_opening ON grants (opening) WHERE opening IS NOT NULL;
CREATE INDEX slices_by_grant ON slices (grant_id);
CREATE INDEX transactions_in_flight ON transactions (network, nonce) WHERE state IN ('signed', 'broadcast');
CREATE INDEX versions_by_transaction ON versions (transaction_id);
CREATE UNIQUE INDEX redemptions_opening_grants ON redemptions (grant_id) WHERE top_up IS NULL;
CREATE INDEX redemptions_by_grant ON redemptions (grant_id);
CREATE INDEX redemptions_by_opening ON redemptions (opening) WHERE opening IS NOT NULL;
CREATE UNIQUE INDEX redemptions_by_evidence ON redemptions (network, transaction_hash, log_index)
  WHERE transaction_hash IS NOT NULL;
CREATE INDEX redemptions_due ON redemptions (network, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX redemptions_pending ON redemptions (network, asset, payer, block_number)
  WHERE state NOT IN ('failed', 'free');
CREATE INDEX redemptions_mined ON redemptions (network) WHERE state = 'mined';
CREATE INDEX redemptions_paid ON redemptions (network, block_number, block_hash) WHERE state = 'paid';
CREATE INDEX redemptions_by_transaction ON redemptions (transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX entries_of_whitelist ON entries (sequence) WHERE kind IN ('whitelist_added', 'whitelist_removed');
CREATE INDEX entries_of_redemption ON entries (redemption_key, kind) WHERE redemption_key IS NOT NULL;
CREATE UNIQUE INDEX entries_ended ON entries (grant_id) WHERE kind = 'ended';
CREATE INDEX revocations_by_expiry ON revocations (expires_at);
CREATE INDEX revocations_of_tokens ON revocations (content ->> 'grantId') WHERE content ->> 'kind' = 'tokens';
CREATE INDEX used_keys_by_end ON used_keys (until);
CREATE INDEX losses_by_time ON losses (at);
PRAGMA application_id = 1949577266;
PRAGMA user_version = 4;
