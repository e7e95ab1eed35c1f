/** A store in memory, for trying things out and for tests: it forgets everything when it is closed. */
import { type Store, StoreUnavailable } from "../../ports/store.ts"
import { createStore, type Verb } from "../verbs/verbs.ts"
import { reviveError } from "./errors.ts"
import { openMemory } from "./file.ts"
import { createGroup } from "./group.ts"
import { loadSqlite } from "./package.ts"

/** Throws MissingPackage without better-sqlite3. It needs no thread, because nothing waits for a disk. */
export async function openMemoryStore(): Promise<Store> {
  const db = openMemory(await loadSqlite())
  const group = createGroup(db)
  let last: Promise<unknown> = Promise.resolve()
  let closed = false

  async function perform(verb: Verb, input: unknown): Promise<unknown> {
    const [answer] = await group([{ id: 1, verb, input }])
    if (typeof answer !== "object") throw new StoreUnavailable("the database in memory is locked")
    if ("error" in answer) throw reviveError(answer.error)
    return answer.value
  }

  function call(verb: Verb, input: unknown): Promise<unknown> {
    if (closed) return Promise.reject(new StoreUnavailable("the store is closed"))
    const turn = last.then(() => perform(verb, input))
    last = turn.catch(() => {})
    return turn
  }

  async function close(): Promise<void> {
    if (closed) return
    closed = true
    await last
    db.close()
  }
  return createStore(call, close)
}
