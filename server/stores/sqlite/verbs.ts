/** Every verb of the store on one SQLite handle, to be called inside a transaction. */
import type BetterSqlite3 from "better-sqlite3"
import type { Verbs } from "../verbs/verb-list.ts"
import { createBookVerbs } from "./books.ts"
import { createIntakeVerbs } from "./intake.ts"
import { createLedgerVerbs } from "./ledger.ts"
import { createRecords } from "./records.ts"
import { createRevocationVerbs } from "./revocations.ts"
import { createUnitVerbs } from "./units.ts"
import { createWhitelistVerbs } from "./whitelist.ts"
import { createWorkerVerbs } from "./worker.ts"

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
