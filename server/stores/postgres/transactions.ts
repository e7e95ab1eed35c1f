/** Transactions on PostgreSQL: what was committed is known, also when the connection breaks during COMMIT. */
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import type { PoolClient } from "pg"
import { StoreUnavailable } from "../../ports/store.ts"
import type { Rows } from "../records/rows.ts"
import type { Connections } from "./connections.ts"
import { isOutage } from "./errors.ts"
import { createRows } from "./rows.ts"

export type Work<T> = (rows: Rows) => Promise<T>

export type Transactions = {
  /** Sees the database as of one moment, and waits for no lock. */
  read<T>(work: Work<T>): Promise<T>
  /** Runs alone: no other writing transaction of any process is open. One at a time. Rejects when nothing was written. */
  write<T>(work: Work<T>): Promise<T>
}

/** `SET LOCAL` ends with the transaction, so that it works on a connection that a pooler lends for one. */
const limits = (deadlineMs: number): string => `
  SET LOCAL lock_timeout = ${deadlineMs};
  SET LOCAL statement_timeout = ${2 * deadlineMs};
  SET LOCAL idle_in_transaction_session_timeout = ${2 * deadlineMs};`

/** A number of the database's own for its books: several may lie in one database, in schemas of their own. */
const lockBooks =
  "SELECT pg_advisory_xact_lock((1949577266::bigint << 32) | 'entries'::regclass::oid::bigint);"

export function createTransactions(connections: Connections, deadlineMs: number): Transactions {
  const writer = randomUUID()
  let lastNumber = 0
  let registered = false

  async function read<T>(work: Work<T>): Promise<T> {
    return transact(
      `BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; ${limits(deadlineMs)}`,
      async (client) => {
        const value = await work(rowsOf(client))
        await client.query("COMMIT")
        return value
      },
    )
  }

  async function write<T>(work: Work<T>): Promise<T> {
    if (!registered) await register()
    const number = ++lastNumber
    let committing: { readonly value: T } | undefined
    try {
      // The level of READ COMMITTED lets each statement see all that was committed before the lock was granted.
      return await transact(
        `BEGIN ISOLATION LEVEL READ COMMITTED; ${limits(deadlineMs)} ${lockBooks}`,
        async (client) => {
          const value = await work(rowsOf(client))
          await note(client, number)
          committing = { value }
          await commit(client)
          return value
        },
      )
    } catch (error) {
      if (committing && isOutage(error) && (await isCommitted(number))) return committing.value
      throw error
    }
  }

  async function transact<T>(begin: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await connections.connect()
    try {
      await client.query(begin)
      const value = await work(client)
      client.release()
      return value
    } catch (error) {
      await undo(client, error)
      throw error
    }
  }

  const rowsOf = (client: PoolClient) => createRows(client, connections.isDirect(client))

  /** The row must be there before the first transaction that changes it, or nothing would lock its outcome. */
  async function register(): Promise<void> {
    const client = await connections.connect()
    try {
      await client.query(
        "INSERT INTO writers (id, committed, at) VALUES ($1, 0, now()) ON CONFLICT (id) DO NOTHING",
        [writer],
      )
      registered = true
      client.release()
    } catch (error) {
      client.release(true)
      throw error
    }
  }

  async function note(client: PoolClient, number: number): Promise<void> {
    // A wait for a synchronous standby that a timeout ends would pass for a commit.
    await client.query("SET LOCAL statement_timeout = 0")
    const { rowCount } = await client.query("UPDATE writers SET committed = $2, at = now() WHERE id = $1", [
      writer,
      String(number),
    ])
    if (rowCount === 1) return
    // Another server has taken over, or the row was thought to be of a process that had ended.
    registered = false
    throw new StoreUnavailable("the database does not know this process")
  }

  /** Asks until there is an answer: the row stays locked as long as the server has not decided. */
  async function isCommitted(number: number): Promise<boolean> {
    const until = performance.now() + 4 * deadlineMs
    for (;;) {
      try {
        return await transact(`BEGIN; ${limits(deadlineMs)}`, async (client) => {
          const { rows } = await client.query<{ committed: bigint }>(
            "SELECT committed FROM writers WHERE id = $1 FOR UPDATE",
            [writer],
          )
          await client.query("COMMIT")
          return rows[0]?.committed === BigInt(number)
        })
      } catch (error) {
        if (performance.now() >= until)
          throw new StoreUnavailable("the database was lost during COMMIT, and does not answer", {
            cause: error,
          })
        await sleep(50)
      }
    }
  }

  return { read, write }
}

/** A COMMIT of a transaction that has failed resolves, as a ROLLBACK. */
async function commit(client: PoolClient): Promise<void> {
  const { command } = await client.query("COMMIT")
  if (command !== "COMMIT") throw new StoreUnavailable(`the database answered COMMIT with ${command}`)
}

async function undo(client: PoolClient, error: unknown): Promise<void> {
  if (isOutage(error)) return client.release(true)
  try {
    await client.query("ROLLBACK")
    client.release()
  } catch {
    client.release(true)
  }
}
