/**
 * Group commit: many verbs in one transaction, answered only after COMMIT. Where one of them fails, the group is undone and
 * repeated with a savepoint for each.
 */
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
  const rollback = db.prepare("ROLLBACK")

  async function answerAlone({ id, verb, input }: Letter): Promise<Answer> {
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

  /** Null when a verb fails: what it wrote cannot be told from what the others wrote. */
  async function answerTogether(letters: readonly Letter[]): Promise<readonly Answer[] | null> {
    const answers: Answer[] = []
    try {
      for (const { id, verb, input } of letters) answers.push({ id, value: await perform(rows, verb, input) })
      return answers
    } catch (error) {
      if (isBusy(error) || isOutage(error)) throw error
      return null
    }
  }

  /** One after the other: a savepoint undoes whatever was written since it began. */
  async function answerEach(letters: readonly Letter[]): Promise<readonly Answer[]> {
    const answers: Answer[] = []
    for (const letter of letters) answers.push(await answerAlone(letter))
    return answers
  }

  /** `answerer` answers null to have everything undone. */
  async function inTransaction(
    letters: readonly Letter[],
    answerer: (letters: readonly Letter[]) => Promise<readonly Answer[] | null>,
  ): Promise<readonly Answer[] | null> {
    // Reading needs no lock, so it goes on while another process writes.
    const reads = letters.every((letter) => isReading(letter.verb))
    ;(reads ? beginReading : begin).run()
    const answers = await answerer(letters)
    if (answers) commit.run()
    else if (db.inTransaction) rollback.run()
    return answers
  }

  return async (letters) => {
    try {
      // Savepoints cost a seventh of the time of a group, and hardly any verb ever fails.
      const together = await inTransaction(letters, answerTogether)
      return together ?? (await inTransaction(letters, answerEach)) ?? []
    } catch (error) {
      if (db.inTransaction) rollback.run()
      if (isBusy(error)) return "busy"
      return letters.map(({ id }) => ({ id, error: sendError(outage(error)) }))
    }
  }
}
