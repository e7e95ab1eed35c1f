/** Group commit: many verbs in one transaction, each in a savepoint of its own, answered only after COMMIT. */
import type BetterSqlite3 from "better-sqlite3"
import { isReading, perform, type Verb } from "../verbs/verbs.ts"
import { isBusy, isOutage, outage, type SentError, sendError } from "./errors.ts"
import { createRows } from "./rows.ts"

export type Letter = { readonly id: number; readonly verb: Verb; readonly input: unknown }
export type Answer = { readonly id: number } & ({ readonly value: unknown } | { readonly error: SentError })

/**
 * Carries the letters out together; the next call must wait for this one. `busy`: another process holds the lock, nothing
 * was written, try again.
 */
export type Group = (letters: readonly Letter[]) => Promise<readonly Answer[] | "busy">

export function createGroup(db: BetterSqlite3.Database): Group {
  const rows = createRows(db)
  const begin = db.prepare("BEGIN IMMEDIATE")
  const beginReading = db.prepare("BEGIN")
  const commit = db.prepare("COMMIT")
  const savepoint = db.prepare("SAVEPOINT verb")
  const keep = db.prepare("RELEASE verb")
  const undo = db.prepare("ROLLBACK TO verb")

  async function answer({ id, verb, input }: Letter): Promise<Answer> {
    savepoint.run()
    try {
      const value = await perform(rows, verb, input)
      keep.run()
      return { id, value }
    } catch (error) {
      // The database is at fault, not this verb: SQLite may have undone the whole transaction already.
      if (isBusy(error) || isOutage(error) || !db.inTransaction) throw error
      undo.run()
      keep.run()
      return { id, error: sendError(error) }
    }
  }

  return async (letters) => {
    try {
      // Reading needs no lock, so it goes on while another process writes.
      const reads = letters.every((letter) => isReading(letter.verb))
      ;(reads ? beginReading : begin).run()
      const answers: Answer[] = []
      // One after the other: a savepoint undoes whatever was written since it began.
      for (const letter of letters) answers.push(await answer(letter))
      commit.run()
      return answers
    } catch (error) {
      if (db.inTransaction) db.exec("ROLLBACK")
      if (isBusy(error)) return "busy"
      return letters.map(({ id }) => ({ id, error: sendError(outage(error)) }))
    }
  }
}
