/** Rows that say which transactions committed, for those whose connection broke during COMMIT. */
import { randomUUID } from "node:crypto"
import type { ClientBase, QueryResult } from "pg"
import { Undone } from "./errors.ts"

/** One transaction at a time is under its name. */
export type Writer = {
  /** Makes the row, in a transaction of its own, before the first transaction that changes it: else nothing would lock it. */
  register(client: ClientBase): Promise<void>
  /** Part of the transaction. */
  note(client: ClientBase): Promise<void>
  /** Whether the last noted transaction committed. Waits for a server that has not decided yet. */
  hasCommitted(client: ClientBase): Promise<boolean>
}

export function createWriter(): Writer {
  const id = randomUUID()
  let last = 0
  let isRegistered = false

  async function register(client: ClientBase): Promise<void> {
    if (isRegistered) return
    await client.query(
      `WITH old AS (DELETE FROM writers WHERE at < now() - interval '7 days')
       INSERT INTO writers (id, committed, at) VALUES ($1, 0, now()) ON CONFLICT (id) DO NOTHING`,
      [id],
    )
    isRegistered = true
  }

  async function note(client: ClientBase): Promise<void> {
    last++
    // A timeout that ends the wait for a synchronous standby would pass for a commit.
    const results = (await client.query(
      `SET LOCAL statement_timeout = 0; UPDATE writers SET committed = ${last}, at = now() WHERE id = '${id}'`,
    )) as unknown as readonly QueryResult[]
    if (results.at(-1)?.rowCount === 1) return
    // Another server has taken over that does not have the row, or this process was idle for a week.
    isRegistered = false
    throw new Undone("the database does not know this process")
  }

  async function hasCommitted(client: ClientBase): Promise<boolean> {
    const { rows } = await client.query<{ committed: bigint }>(
      "SELECT committed FROM writers WHERE id = $1 FOR UPDATE",
      [id],
    )
    return rows[0]?.committed === BigInt(last)
  }

  return { register, note, hasCommitted }
}
