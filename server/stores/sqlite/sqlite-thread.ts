/** The thread that owns the database: it reads its mailbox, commits in groups, and waits for locks without blocking. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises"
import { parentPort, workerData } from "node:worker_threads"
import type BetterSqlite3 from "better-sqlite3"
import { StoreUnavailable } from "../../ports/store.ts"
import { isBusy, isOutage, outage, sendError } from "./errors.ts"
import { openDatabase } from "./file.ts"
import { type Answer, createGroup, type Group, type Letter } from "./group.ts"
import { loadSqlite } from "./package.ts"

export type ThreadOptions = { readonly file: string; readonly deadlineMs: number }
/** Letters are answered under their id; the opening is answered under id 0. */
export type Message = readonly Letter[] | "close"

/** More would only hold the lock longer. */
const groupSize = 256

const port = parentPort
if (!port) throw new Error("this module is the entry of a worker thread")
const { file, deadlineMs } = workerData as ThreadOptions

const post = (answers: readonly Answer[]): void => port.postMessage(answers)
/** A moment of random length, so that processes that wait for each other do not meet again. */
const pause = (): Promise<void> => sleep(5 + Math.random() * 20)

async function open(): Promise<BetterSqlite3.Database> {
  const Sqlite = await loadSqlite()
  const deadline = performance.now() + deadlineMs
  for (;;) {
    try {
      return openDatabase(Sqlite, file)
    } catch (error) {
      if (isOutage(error)) throw outage(error)
      if (!isBusy(error)) throw error
      if (performance.now() >= deadline) throw new StoreUnavailable("another process holds the database")
    }
    await pause()
  }
}

/** Answers every letter in groups; resolves after a `close` message, once all earlier letters are answered. */
function serve(group: Group): Promise<void> {
  const mailbox: (Letter & { readonly deadline: number })[] = []
  let closing = false
  let working = false

  async function work(done: () => void): Promise<void> {
    working = true
    while (mailbox.length > 0) {
      // Letters of one turn share one transaction.
      await nextTurn()
      const letters = mailbox.slice(0, groupSize)
      const outcome = await group(letters)
      if (outcome === "busy") {
        giveUpLate()
        await pause()
      } else {
        mailbox.splice(0, letters.length)
        post(outcome)
      }
    }
    working = false
    if (closing) done()
  }

  /** Called only after a try has failed, so that every letter has had one. */
  function giveUpLate(): void {
    const now = performance.now()
    const late = mailbox.filter((letter) => letter.deadline <= now)
    const error = sendError(new StoreUnavailable("another process holds the database"))
    post(late.map(({ id }) => ({ id, error })))
    const waiting = mailbox.filter((letter) => letter.deadline > now)
    mailbox.splice(0, mailbox.length, ...waiting)
  }

  return new Promise((resolve, reject) => {
    port?.on("message", (message: Message) => {
      if (message === "close") closing = true
      else {
        const deadline = performance.now() + deadlineMs
        mailbox.push(...message.map((letter) => ({ ...letter, deadline })))
      }
      if (!working) work(resolve).catch(reject)
    })
  })
}

function shut(db: BetterSqlite3.Database): void {
  try {
    db.pragma("wal_checkpoint(TRUNCATE)")
  } catch {
    // Another process reads or writes: it, or the next start, will do the checkpoint.
  }
  db.close()
}

try {
  const db = await open()
  post([{ id: 0, value: undefined }])
  await serve(createGroup(db))
  shut(db)
} catch (error) {
  // While the parent waits for the opening, this is its answer. Later nobody waits under id 0, and the thread's exit
  // reports the failure.
  post([{ id: 0, error: sendError(error) }])
}
port.close()
