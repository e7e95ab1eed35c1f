/** The three things that may come of looking: kept, not kept, or not to be seen. */

/** What was found, and what was wanted. */
export class Deviation extends Error {
  override readonly name = "Deviation"
}

/** The rule could not be looked for; the message says what for want of. */
export class Unseen extends Error {
  override readonly name = "Unseen"
}

export function want(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Deviation(message)
}

export function wantStatus(what: string, answer: { readonly status: number }, ...wanted: number[]): void {
  want(wanted.includes(answer.status), `${what}: found ${answer.status}, wanted ${wanted.join(" or ")}`)
}

export function wantSame(what: string, found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
  want(a === b, `${what}: found ${shortened(a)}, wanted ${shortened(b)}`)
}

/** Never more than a glimpse: what is found may be a token. */
const shortened = (text: string | undefined): string =>
  text === undefined ? "nothing" : text.length > 80 ? `${text.slice(0, 60)}…` : text
