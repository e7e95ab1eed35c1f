/** Creates, migrates and opens the tables of the client's file. Locks are in the table `claims`. */
import type { Database } from "better-sqlite3"
import { unavailable } from "./private-file.ts"

/** "tkt4" as a number: marks our files among those of other programs. */
const applicationId = 0x746b7434

/** One step a version, forward only. A step never changes once a file has it. */
const migrations = [
  `
  CREATE TABLE claims (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until REAL NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE spendings (
    id TEXT PRIMARY KEY,
    micros INTEGER NOT NULL CHECK (micros > 0),
    origin TEXT NOT NULL,
    offer TEXT NOT NULL,
    signed_at REAL NOT NULL,
    counts_until REAL,
    kept INTEGER NOT NULL,
    claim TEXT NOT NULL,
    holder TEXT NOT NULL
  ) STRICT;
  CREATE INDEX spendings_not_kept ON spendings (claim) WHERE kept = 0;
  CREATE TABLE recipients (
    origin TEXT NOT NULL,
    pay_to TEXT NOT NULL,
    PRIMARY KEY (origin, pay_to)
  ) STRICT;
  CREATE TABLE payments (
    account TEXT NOT NULL,
    resource TEXT NOT NULL,
    header TEXT NOT NULL,
    payment TEXT NOT NULL,
    PRIMARY KEY (account, resource)
  ) STRICT;
  CREATE TABLE grants (
    key TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    used INTEGER NOT NULL UNIQUE,
    grant_text TEXT NOT NULL
  ) STRICT;
`,
  `
  CREATE TABLE refusals (
    origin TEXT NOT NULL,
    at REAL NOT NULL
  ) STRICT;
`,
]

/** Sets the pragmas without which a signed payment could vanish at power loss, and reads back what SQLite took. */
export function prepareDatabase(db: Database): void {
  const wanted = [
    ["journal_mode", "WAL", "wal"],
    ["synchronous", "FULL", "2"],
    ["trusted_schema", "OFF", "0"],
  ] as const
  const read = (name: string): number => Number(db.pragma(name, { simple: true }))
  // Before anything is changed: the file may belong to another program. One transaction, so that both reads see the same
  // moment of a file that is being created.
  db.transaction(() => {
    if (read("schema_version") !== 0 && read("application_id") !== applicationId)
      throw unavailable("a database of another program", "a file of its own")
  })()
  for (const [name, value, readBack] of wanted) {
    db.pragma(`${name} = ${value}`)
    const found = String(db.pragma(name, { simple: true }))
    if (found !== readBack) throw unavailable(`${name}=${found}`, readBack)
  }
  db.transaction(() => {
    const found = read("user_version")
    if (found > migrations.length) throw unavailable(`version ${found}`, `version ${migrations.length}`)
    for (const step of migrations.slice(found)) db.exec(step)
    db.pragma(`application_id = ${applicationId}`)
    db.pragma(`user_version = ${migrations.length}`)
  }).immediate()
}
