/** A store in a PostgreSQL database, which any number of processes may share. */
import { setTimeout as sleep } from "node:timers/promises"
import pLimit from "p-limit"
import { type Store, StoreUnavailable } from "../../ports/store.ts"
import { createStore, isReading, perform, type Verb } from "../verbs/verbs.ts"
import { readAddress } from "./address.ts"
import { createConnections } from "./connections.ts"
import { errorFor, mayTryAgain, startError } from "./errors.ts"
import { createLane } from "./lane.ts"
import { loadPg } from "./package.ts"
import { takesTurns } from "./row-locks.ts"
import { migrate } from "./schema.ts"
import { createTransactions, type Work } from "./transactions.ts"

export type PostgresOptions = {
  /** `postgres://USER@HOST:PORT/DATABASE`. */
  readonly url: string
  /** File that holds the password and nothing else. */
  readonly passwordFile?: string | undefined
  /** Connections of this process at most; 8 when not given. */
  readonly connections?: number | undefined
  /** How long a call may wait for other processes, and for a server that restarts; 5000 when not given. */
  readonly deadlineMs?: number | undefined
}

/**
 * Throws MissingPackage without pg, StoreFileError for a database that must not be used, and StoreUnavailable when the
 * server cannot be reached.
 */
export async function openPostgresStore({
  url,
  connections: limit = 8,
  passwordFile,
  deadlineMs = 5000,
}: PostgresOptions): Promise<Store> {
  const address = readAddress(url, passwordFile)
  const connections = createConnections(await loadPg(), address, { limit, deadlineMs })
  const { read, write } = createTransactions(connections, deadlineMs)
  const lane = createLane({
    writeOnce: (work) => write(work, { inTurn: true }),
    write: (work) => persist(() => write(work, { inTurn: true })),
  })
  // Writers that wait for a lock leave a connection to the lane and one to readers.
  const beside = pLimit(Math.max(1, limit - 2))
  const running = new Set<Promise<unknown>>()
  let closed = false

  try {
    const client = await connections.connect()
    await migrate(client, address.place).finally(() => client.release())
  } catch (error) {
    await connections.close()
    throw startError(error, address.place)
  }

  function call(verb: Verb, input: unknown): Promise<unknown> {
    if (closed) return Promise.reject(new StoreUnavailable("the store is closed"))
    const answer = answerTo(verb, input).catch(refuse)
    running.add(answer)
    const forget = () => running.delete(answer)
    answer.then(forget, forget)
    return answer
  }

  function answerTo(verb: Verb, input: unknown): Promise<unknown> {
    const work: Work<unknown> = (rows) => perform(rows, verb, input)
    if (isReading(verb)) return persist(() => read(work))
    if (takesTurns(verb)) return lane(verb, input)
    return beside(() => persist(() => write(work, { inTurn: false })))
  }

  /** Tries again what was undone, as long as the deadline allows. */
  async function persist<T>(work: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + deadlineMs
    for (;;) {
      try {
        return await work()
      } catch (error) {
        const isLate = performance.now() >= deadline
        if (isLate || !mayTryAgain(error)) throw error
        await sleep(5 + Math.random() * 45)
      }
    }
  }

  function refuse(error: unknown): never {
    throw errorFor(error)
  }

  async function close(): Promise<void> {
    if (closed) return
    closed = true
    await Promise.allSettled(running)
    await connections.close()
  }
  return createStore(call, close)
}
