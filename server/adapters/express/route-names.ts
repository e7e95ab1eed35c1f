/** Turns express paths into the names by which configuration and 402 answers know a route. */

/** `/movies/:id` as `/movies/{id}`. */
export const nameOf = (path: string): string =>
  path
    .replace(/(?<!\\)[:*](?:"([^"]+)"|([\p{ID_Start}$_][\p{ID_Continue}$]*))/gu, "{$1$2}")
    .replace(/\\(.)/g, "$1")

/** `/films{/:id}` as `/films{/{id}}`, `/films` and `/films/{id}`; a slash at the end makes no other route. */
export const namesOf = (path: string): readonly string[] => [
  ...new Set([path, ...expansionsOf(path)].map(nameOf).map(withoutSlash)),
]

/** The names that a request can match whose path had these parameters. */
export const namesWith = (path: string, parameters: ReadonlySet<string>): readonly string[] =>
  namesOf(path).filter((name) => {
    const named = [...name.matchAll(/\{([^{}/]+)\}/g)].map(([, parameter = ""]) => parameter)
    return named.length === parameters.size && named.every((each) => parameters.has(each))
  })

/** With and without each optional part. */
function expansionsOf(path: string): readonly string[] {
  const [whole, part = ""] = /(?<!\\)\{((?:[^{}\\]|\\.)*)\}/.exec(path) ?? []
  if (whole === undefined) return [path]
  return [path.replace(whole, () => part), path.replace(whole, "")].flatMap(expansionsOf)
}

const withoutSlash = (name: string): string => name.replace(/(?<=.)\/+$/, "")
