/** Every verb of the store on one SQLite handle, to be called inside a transaction. */
import type BetterSqlite3 from "better-sqlite3"
import { createBookVerbs } from "./sqlite-books.ts"
import { createIntakeVerbs } from "./sqlite-intake.ts"
import { createLedgerVerbs } from "./sqlite-ledger.ts"
import { createRecords } from "./sqlite-records.ts"
import { createRevocationVerbs } from "./sqlite-revocations.ts"
import { createUnitVerbs } from "./sqlite-units.ts"
import { createWhitelistVerbs } from "./sqlite-whitelist.ts"
import { createWorkerVerbs } from "./sqlite-worker.ts"
import type { Verbs } from "./verbs.ts"

/** The handle must be one of `openDatabase`: its integers come as bigint. */
export function createVerbs(db: BetterSqlite3.Database): Verbs {
  const records = createRecords(db)
  return {
    ...createIntakeVerbs(db, records),
    ...createUnitVerbs(db, records),
    ...createRevocationVerbs(db, records),
    ...createWhitelistVerbs(db, records),
    ...createWorkerVerbs(db, records),
    ...createBookVerbs(db, records),
    ...createLedgerVerbs(db, records),
  }
}
