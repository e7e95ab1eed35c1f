/** Transactions on PostgreSQL, each with a known outcome, also when the connection breaks during COMMIT. */
import { setTimeout as sleep } from "node:timers/promises"
import type { PoolClient } from "pg"
import { StoreUnavailable } from "../../ports/store.ts"
import type { ManyRows } from "./batch.ts"
import type { Connections } from "./connections.ts"
import { isOutage, Undone } from "./errors.ts"
import { insertLedger } from "./ledger.ts"
import { type Changes, createRows } from "./rows.ts"
import { createWriter, type Writer } from "./writers.ts"

export type Work<T> = (rows: ManyRows) => Promise<T>

/** Each is one try: it rejects when nothing was written. */
export type Transactions = {
  /** Sees the database as of one moment, and waits for no lock. */
  read<T>(work: Work<T>): Promise<T>
  /** `inTurn`: no other transaction in turn is open, of any process. */
  write<T>(work: Work<T>, options: { readonly inTurn: boolean }): Promise<T>
}

/** Held to the end of the transaction. The number is that of a table, as for the ledger. */
const lockTurn =
  "SELECT pg_advisory_xact_lock((1949577266::bigint << 32) | 'entries'::regclass::oid::bigint);"

/** `SET LOCAL` ends with the transaction, so that it works on a connection that a pooler lends for one. */
const limitsOf = (deadlineMs: number): string => `
  SET LOCAL lock_timeout = ${deadlineMs};
  SET LOCAL statement_timeout = ${2 * deadlineMs};
  SET LOCAL idle_in_transaction_session_timeout = ${2 * deadlineMs};`

export function createTransactions(connections: Connections, deadlineMs: number): Transactions {
  const limits = limitsOf(deadlineMs)
  const idle: Writer[] = []

  async function read<T>(work: Work<T>): Promise<T> {
    return transact(connections, async (client) => {
      await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; ${limits}`)
      const value = await work(createRows(client, connections.isDirect(client)))
      await commit(client)
      return value
    })
  }

  async function write<T>(work: Work<T>, { inTurn }: { readonly inTurn: boolean }): Promise<T> {
    const writer = idle.pop() ?? createWriter()
    const done: { value: T }[] = []
    try {
      await transact(connections, async (client) => {
        await writer.register(client)
        // Each statement sees all that was committed before it, and so before the lock was granted.
        await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED; ${limits} ${inTurn ? lockTurn : ""}`)
        const changes: Changes = { entries: [], any: false }
        const value = await work(createRows(client, connections.isDirect(client), changes))
        // The ledger's lock comes last, so that it is held for no longer than COMMIT takes.
        if (changes.any) await writer.note(client)
        await insertLedger(client, changes.entries)
        done.push({ value })
        await commit(client)
      })
    } catch (error) {
      if (done.length === 0 || !isOutage(error) || !(await hasCommitted(writer))) {
        idle.push(writer)
        throw error
      }
    }
    idle.push(writer)
    const [outcome] = done
    if (!outcome) throw new Error("a transaction committed without its value")
    return outcome.value
  }

  /** Asks until there is an answer. Its writer is not used again without one. */
  async function hasCommitted(writer: Writer): Promise<boolean> {
    const until = performance.now() + 4 * deadlineMs
    for (;;) {
      try {
        return await transact(connections, async (client) => {
          await client.query(`BEGIN; ${limits}`)
          const found = await writer.hasCommitted(client)
          await commit(client)
          return found
        })
      } catch (error) {
        if (performance.now() >= until)
          throw new StoreUnavailable("the database was lost during COMMIT and does not answer", {
            cause: error,
          })
        await sleep(50)
      }
    }
  }

  return { read, write }
}

/** Lends a connection; one that broke is closed. */
async function transact<T>(connections: Connections, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await connections.connect()
  try {
    const value = await work(client)
    client.release()
    return value
  } catch (error) {
    client.release(isOutage(error) || !(await isRolledBack(client)))
    throw error
  }
}

async function isRolledBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query("ROLLBACK")
    return true
  } catch {
    return false
  }
}

/** A COMMIT of a transaction that has failed resolves, as a ROLLBACK. */
async function commit(client: PoolClient): Promise<void> {
  const { command } = await client.query("COMMIT")
  if (command !== "COMMIT") throw new Undone(`the database answered COMMIT with ${command}`)
}
