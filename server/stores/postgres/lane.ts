/** Carries out the verbs that take turns, in groups: those that wait during a transaction share the next one. */
import type { RedeemOrder } from "../../ports/records.ts"
import { perform, type Verb } from "../verbs/verbs.ts"
import { isBatchable, redeemAll, touchedBy } from "./batch.ts"
import type { Work } from "./transactions.ts"

type Letter = {
  readonly verb: Verb
  readonly input: unknown
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** More would only keep the first of them waiting. */
const groupSize = 256

/** `write` tries again what was undone; `writeOnce` does not. */
export function createLane(deps: {
  write<T>(work: Work<T>): Promise<T>
  writeOnce<T>(work: Work<T>): Promise<T>
}): (verb: Verb, input: unknown) => Promise<unknown> {
  const mailbox: Letter[] = []
  let working = false

  async function work(): Promise<void> {
    while (mailbox.length > 0) {
      const group = nextGroup(mailbox)
      const taken = new Set(group)
      mailbox.splice(0, mailbox.length, ...mailbox.filter((letter) => !taken.has(letter)))
      await carryOut(group)
    }
    working = false
  }

  async function carryOut(letters: readonly Letter[]): Promise<void> {
    if (letters.length > 1 && (await carryOutTogether(letters))) return
    for (const { verb, input, resolve, reject } of letters)
      await deps.write((rows) => perform(rows, verb, input)).then(resolve, reject)
  }

  /** False when one failed: the transaction of all is undone, and each needs one of its own. */
  async function carryOutTogether(letters: readonly Letter[]): Promise<boolean> {
    try {
      const values = await deps.writeOnce((rows) => performAll(rows, letters))
      for (const [index, { resolve }] of letters.entries()) resolve(values[index])
      return true
    } catch {
      return false
    }
  }

  return (verb, input) =>
    new Promise((resolve, reject) => {
      mailbox.push({ verb, input, resolve, reject })
      if (working) return
      working = true
      // Letters of one turn share one transaction.
      setImmediate(work)
    })
}

/** Redemptions that touch no common row, or other verbs; always with the letter that waits longest. */
function nextGroup(letters: readonly Letter[]): readonly Letter[] {
  const [first] = letters
  const asBatch = first !== undefined && orderOf(first) !== null
  const touched = new Set<string>()
  const group: Letter[] = []
  for (const letter of letters) {
    const order = orderOf(letter)
    const names = order ? touchedBy(order) : []
    if (group.length === groupSize) break
    if ((order !== null) !== asBatch || names.some((name) => touched.has(name))) continue
    for (const name of names) touched.add(name)
    group.push(letter)
  }
  return group
}

/** The order of a letter that may share a batch. */
function orderOf({ verb, input }: Letter): RedeemOrder | null {
  const order = verb === "redeem" ? (input as RedeemOrder) : null
  return order && isBatchable(order) ? order : null
}

async function performAll(
  rows: Parameters<Work<unknown>>[0],
  letters: readonly Letter[],
): Promise<readonly unknown[]> {
  const orders = letters.map(orderOf)
  if (orders.every((order) => order !== null)) return redeemAll(rows, orders)
  const values: unknown[] = []
  for (const { verb, input } of letters) values.push(await perform(rows, verb, input))
  return values
}
