/** Refuses unknown options: an ignored one would leave a limit open while money is spent. */
import { suggestName } from "../../shared/values/option-names.ts"
import { Ticket402Error } from "./errors.ts"

/** Every option of a type: a forgotten one does not compile. */
export type OptionNames<T> = { readonly [name in keyof Required<T>]: true }

/** `path` names the object in the error, such as `budget.`. Throws a {@link Ticket402Error} `option_invalid`. */
export function requireKnown<T extends object>(
  options: T | undefined,
  names: OptionNames<T>,
  path = "",
): void {
  const known = Object.keys(names)
  const unknown = Object.keys(options ?? {}).find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw new Ticket402Error(
    "option_invalid",
    `The option ${path}${printableName(unknown)} is unknown${suggestName(unknown, known)}`,
    { found: `${path}${unknown}`, wanted: known.map((name) => `${path}${name}`).join(", ") },
  )
}

const printableName = (name: string): string => name.replace(/[^\w.-]/g, "?").slice(0, 40)
