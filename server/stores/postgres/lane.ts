/** Carries writing verbs out in groups: those that wait while a transaction commits go together in the next one. */
import { perform, type Verb } from "../verbs/verbs.ts"
import { errorFor } from "./errors.ts"
import type { Work } from "./transactions.ts"

type Letter = {
  readonly verb: Verb
  readonly input: unknown
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** More would only keep the first of them waiting. */
const groupSize = 64

/** `write` tries again what was undone; `writeOnce` does not. */
export function createLane(deps: {
  write<T>(work: Work<T>): Promise<T>
  writeOnce<T>(work: Work<T>): Promise<T>
}): (verb: Verb, input: unknown) => Promise<unknown> {
  const mailbox: Letter[] = []
  let working = false

  async function work(): Promise<void> {
    working = true
    while (mailbox.length > 0) await carryOut(mailbox.splice(0, groupSize))
    working = false
  }

  async function carryOut(letters: readonly Letter[]): Promise<void> {
    if (letters.length > 1 && (await carryOutTogether(letters))) return
    for (const letter of letters)
      await deps
        .write((rows) => perform(rows, letter.verb, letter.input))
        .then(letter.resolve, (error) => letter.reject(errorFor(error)))
  }

  /** False when one failed: the transaction of all is undone, and each needs one of its own. */
  async function carryOutTogether(letters: readonly Letter[]): Promise<boolean> {
    try {
      const values = await deps.writeOnce(async (rows) => {
        const done: unknown[] = []
        for (const { verb, input } of letters) done.push(await perform(rows, verb, input))
        return done
      })
      for (const [index, { resolve }] of letters.entries()) resolve(values[index])
      return true
    } catch {
      return false
    }
  }

  return (verb, input) =>
    new Promise((resolve, reject) => {
      mailbox.push({ verb, input, resolve, reject })
      // Letters of one turn share one transaction.
      if (!working) setImmediate(() => void (working || work()))
    })
}
