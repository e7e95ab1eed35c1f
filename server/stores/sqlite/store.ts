/** A store in one SQLite file, which several processes of one machine may share; it lives in a thread of its own. */
import { Worker } from "node:worker_threads"
import { type Store, StoreUnavailable } from "../../ports/store.ts"
import { threadModule } from "../../ports/thread-module.ts"
import { createStore, type Verb } from "../verbs/verbs.ts"
import { reviveError } from "./errors.ts"
import type { Answer, Letter } from "./group.ts"
import type { Message, ThreadOptions } from "./sqlite-thread.ts"

export type SqliteOptions = {
  /** Created with mode 0600 when it is missing; its directory with 0700. */
  readonly file: string
  /** How long a call may wait for other processes; 5000 when not given. */
  readonly deadlineMs?: number
}

type Waiting = { resolve(value: unknown): void; reject(error: Error): void }

/**
 * Throws MissingPackage without better-sqlite3, StoreFileError for a file that must not be used, and
 * StoreUnavailable when the database is held or broken.
 */
export async function openSqliteStore({ file, deadlineMs = 5000 }: SqliteOptions): Promise<Store> {
  const workerData: ThreadOptions = { file, deadlineMs }
  const worker = new Worker(threadModule("sqlite-thread", import.meta.url), { workerData })
  const waiting = new Map<number, Waiting>()
  /** The calls of this turn: one message for all of them takes a fraction of the time of one each. */
  const outbox: Letter[] = []
  let lastId = 0
  let gone: StoreUnavailable | undefined
  let cause: unknown

  const answered = (id: number): Promise<unknown> =>
    new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))

  const send = (message: Message): void => worker.postMessage(message)
  worker.on("message", (answers: readonly Answer[]) => {
    for (const answer of answers) {
      const waiter = waiting.get(answer.id)
      waiting.delete(answer.id)
      if ("error" in answer) waiter?.reject(reviveError(answer.error))
      else waiter?.resolve(answer.value)
    }
  })
  worker.on("error", (error) => {
    cause = error
  })
  const exited = new Promise<void>((resolve) => {
    worker.on("exit", () => {
      gone ??= new StoreUnavailable("the store's thread has ended", { cause })
      for (const { reject } of waiting.values()) reject(gone)
      waiting.clear()
      resolve()
    })
  })

  async function call(verb: Verb, input: unknown): Promise<unknown> {
    if (gone) throw gone
    const id = ++lastId
    outbox.push({ id, verb, input })
    if (outbox.length === 1) setImmediate(sendOutbox)
    return answered(id)
  }

  function sendOutbox(): void {
    const letters = outbox.splice(0)
    try {
      send(letters)
    } catch {
      // The input of one of them cannot be copied to the thread.
      for (const letter of letters) sendAlone(letter)
    }
  }

  function sendAlone(letter: Letter): void {
    try {
      send([letter])
    } catch (error) {
      waiting.get(letter.id)?.reject(error as Error)
      waiting.delete(letter.id)
    }
  }

  function close(): Promise<void> {
    if (!gone) {
      gone = new StoreUnavailable("the store is closed")
      sendOutbox()
      send("close")
    }
    return exited
  }

  try {
    await answered(0)
  } catch (error) {
    await exited
    throw error
  }
  return createStore(call, close)
}
