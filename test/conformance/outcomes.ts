/** The outcomes of a check beside a pass: a deviation, or a rule that cannot be checked. */

/** A broken rule; the message names the found and the wanted value. */
export class Deviation extends Error {
  override readonly name = "Deviation"
}

/** A rule that cannot be checked; the message names the missing access. */
export class NotRun extends Error {
  override readonly name = "Unseen"
}

export function requireThat(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Deviation(message)
}

export function requireStatus(what: string, answer: { readonly status: number }, ...wanted: number[]): void {
  requireThat(
    wanted.includes(answer.status),
    `${what}: found ${answer.status}, wanted ${wanted.join(" or ")}`,
  )
}

export function requireEqual(what: string, found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
  requireThat(a === b, `${what}: found ${shortened(a)}, wanted ${shortened(b)}`)
}

/** At most 80 characters: the value may be a token. */
const shortened = (text: string | undefined): string =>
  text === undefined ? "nothing" : text.length > 80 ? `${text.slice(0, 60)}…` : text
