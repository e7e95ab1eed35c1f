/** Refuses misspelt options: an ignored one would leave a limit or a price at its default without a word. */
import { distance } from "fastest-levenshtein"

/** The known name that a misspelt one most likely means; undefined when none is near. */
function nearestName(found: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((name) => ({ name, steps: distance(name.toLowerCase(), found.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps)
  return best && best.steps <= Math.max(2, found.length / 3) ? best.name : undefined
}

/** A question to add to a message about an unknown name; empty when no known name is near. */
export function suggestName(found: string, known: readonly string[]): string {
  const nearest = nearestName(found, known)
  return nearest === undefined ? "" : `, did you mean ${JSON.stringify(nearest)}?`
}

/** One line for each unknown key of an options object, under the path by which a caller finds it. */
export const unknownOptions = (path: string, options: object, known: readonly string[]): readonly string[] =>
  Object.keys(options)
    .filter((name) => !known.includes(name))
    .map((name) => `${path}${name}: unknown option${suggestName(name, known)}`)
