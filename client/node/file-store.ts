/** The client's store in one SQLite file, shared by all processes of this machine that open it. */
import { resolve } from "node:path"
import type BetterSqlite3 from "better-sqlite3"
import { mayGiveBack, refusalOf } from "../core/budget-rules.ts"
import { Ticket402Error } from "../core/errors.ts"
import type { ClientStore } from "../wallet/store.ts"
import { codeOf, preparePrivateFile, unavailable } from "./private-file.ts"
import { prepareDatabase } from "./schema.ts"
import { verbsOf } from "./verbs.ts"

export type FileStoreOptions = {
  /** Made with mode 0600 when it is missing, its folder with 0700; refused when others can read it. */
  readonly file: string
  /** How long a call may wait for other processes; 5,000 by default. */
  readonly deadlineMs?: number
}

export type FileStore = ClientStore & { close(): void }

/** How long SQLite itself waits for a lock; beyond that the wait does not block the process. */
const busyMilliseconds = 5

/** Throws a {@link Ticket402Error} `store_unavailable` for a file that must not be used, and without better-sqlite3. */
export async function createFileStore(options: FileStoreOptions): Promise<FileStore> {
  const { deadlineMs = 5_000 } = options
  // An absolute path, because SQLite gives `:memory:` and the empty name meanings of their own.
  const file = resolve(options.file)
  const Sqlite = await import("better-sqlite3").then(
    (module) => module.default,
    () => {
      throw unavailable("no package better-sqlite3", "npm i better-sqlite3")
    },
  )
  preparePrivateFile(file)
  const db = await patiently(() => open(Sqlite, file), deadlineMs)
  const verbs = verbsOf(db)
  /** Each verb is one transaction that has the write lock from its start. */
  const act = <T>(work: () => T): Promise<T> => patiently(() => db.transaction(work).immediate(), deadlineMs)
  /** Readers need no lock in WAL mode. */
  const look = <T>(work: () => T): Promise<T> => patiently(work, deadlineMs)

  return {
    writesDown: true,
    claim: (claim, now) => act(() => verbs.claim(claim, now)),
    unclaim: (claim) => act(() => verbs.unclaim(claim)),
    reserve: (spending, limits, now) =>
      act(() => {
        if (!verbs.holds(spending.claim)) return { kind: "claim_lost" as const }
        const counted = verbs.counted(spending, now)
        const refusal = refusalOf(spending, counted, limits)
        if (refusal) return refusal
        verbs.book(spending, now)
        const { recipients } = counted
        for (const payTo of recipients.length === 0 ? spending.recipients : [spending.payTo])
          verbs.approve(spending.origin, payTo)
        return { kind: "reserved" as const }
      }),
    cancel: (reservation) => act(() => verbs.cancel(reservation)),
    giveBack: (reservation, { countsUntil, most, now }) =>
      act(() => {
        const micros = verbs.unreturned(reservation)
        if (micros !== undefined && mayGiveBack(micros, verbs.givenBack(now), most))
          verbs.countUntil(reservation, countsUntil)
      }),
    counted: (of, now) => look(() => verbs.counted(of, now)),
    approveRecipient: (origin, payTo) => act(() => verbs.approve(origin, payTo)),
    keep: (payment) =>
      act(() => {
        if (!verbs.holds(payment.claim) || !verbs.markKept(payment.reservation)) return false
        verbs.keep(payment)
        return true
      }),
    unanswered: (account, resource) => look(() => verbs.unanswered(account, resource)),
    drop: (payment) => act(() => verbs.drop(payment)),
    add: (grant, payment) =>
      act(() => {
        verbs.add(grant)
        if (payment) verbs.drop(payment)
      }),
    grants: (account) => look(() => verbs.grants(account)),
    change: (grant, state) =>
      act(() => {
        const held = verbs.grant(grant)
        if (held) verbs.write({ ...held, ...state })
      }),
    prefer: (grant) => act(() => verbs.prefer(grant)),
    forget: (grant) => act(() => verbs.forget(grant)),
    close: () => void db.close(),
  }
}

function open(Sqlite: typeof BetterSqlite3, file: string): BetterSqlite3.Database {
  const db = new Sqlite(file, { fileMustExist: true, timeout: busyMilliseconds })
  try {
    prepareDatabase(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Does the work as soon as no other process holds the file. */
async function patiently<T>(work: () => T, deadlineMs: number): Promise<T> {
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
    // Of many that wait, not all come back at once.
    await new Promise((resume) => setTimeout(resume, 1 + 10 * Math.random()))
  }
}
