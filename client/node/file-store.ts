/** The client's store in one SQLite file, shared by all processes of this machine that open it. */
import { resolve } from "node:path"
import type BetterSqlite3 from "better-sqlite3"
import { Ticket402Error } from "../core/errors.ts"
import { requireKnown } from "../core/option-names.ts"
import type { ClientStore } from "../wallet/store.ts"
import { codeOf, preparePrivateFile, unavailable } from "./private-file.ts"
import { prepareDatabase } from "./schema.ts"
import { loadSqlite } from "./sqlite-package.ts"
import { createVerbs } from "./verbs.ts"

export type FileStoreOptions = {
  /** Created with mode 0600 when it is missing, its folder with 0700; refused when others can read it. */
  readonly file: string
  /** How long a call may wait for other processes; 5,000 by default. */
  readonly deadlineMs?: number
}

export type FileStore = ClientStore & { close(): void }

/** How long SQLite itself waits for a lock; beyond that the wait does not block the process. */
const busyMilliseconds = 5

/** Throws a {@link Ticket402Error} `store_unavailable` for a file that must not be used, and without better-sqlite3. */
export async function createFileStore(options: FileStoreOptions): Promise<FileStore> {
  requireKnown(options, { file: true, deadlineMs: true })
  const { deadlineMs = 5_000 } = options
  // An absolute path, because SQLite gives `:memory:` and the empty name meanings of their own.
  const file = resolve(options.file)
  const Sqlite = await loadSqlite()
  preparePrivateFile(file)
  const db = await retryWhileBusy(() => openDatabase(Sqlite, file), deadlineMs)
  const verbs = createVerbs(db)
  /** A transaction that has the write lock from its start. */
  const write = <A extends unknown[], R>(verb: (...args: A) => R): ((...args: A) => Promise<R>) => {
    const { immediate } = db.transaction(verb)
    return (...args) => retryWhileBusy(() => immediate(...args) as R, deadlineMs)
  }
  /** Readers need no lock in WAL mode. */
  const read =
    <A extends unknown[], R>(verb: (...args: A) => R): ((...args: A) => Promise<R>) =>
    (...args) =>
      retryWhileBusy(() => verb(...args), deadlineMs)

  return {
    isDurable: true,
    lock: write(verbs.lock),
    unlock: write(verbs.unlock),
    reserve: write(verbs.reserve),
    cancel: write(verbs.cancel),
    giveBack: write(verbs.giveBack),
    sumSpending: read(verbs.sumSpending),
    clearRefusals: write(verbs.clearRefusals),
    approveRecipient: write(verbs.approveRecipient),
    keep: write(verbs.keep),
    findUnanswered: read(verbs.findUnanswered),
    drop: write(verbs.drop),
    undo: write(verbs.undo),
    add: write(verbs.add),
    listGrants: read(verbs.listGrants),
    change: write(verbs.change),
    recordAccess: write(verbs.recordAccess),
    recordRefusal: write(verbs.recordRefusal),
    prefer: write(verbs.prefer),
    forget: write(verbs.forget),
    close: () => void db.close(),
  }
}

function openDatabase(Sqlite: typeof BetterSqlite3, file: string): BetterSqlite3.Database {
  const db = new Sqlite(file, { fileMustExist: true, timeout: busyMilliseconds })
  try {
    prepareDatabase(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

async function retryWhileBusy<T>(work: () => T, deadlineMs: number): Promise<T> {
  const end = performance.now() + deadlineMs
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (error instanceof Ticket402Error) throw error
      const code = codeOf(error)
      if (!/^SQLITE_BUSY/.test(code) || performance.now() > end)
        throw unavailable(code, "a file that can be read and written")
    }
    // A random wait, so that many waiting processes do not all come back at once.
    await new Promise((resume) => setTimeout(resume, 1 + 10 * Math.random()))
  }
}
