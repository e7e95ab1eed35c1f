/** A value of the configuration in a message about it. */

/** What an embedder hands over may be no JSON at all, such as a bigint. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing"
  try {
    return (JSON.stringify(value) ?? typeof value).slice(0, 80)
  } catch {
    return typeof value
  }
}
