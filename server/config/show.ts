/** A value of the configuration in a message about it. */

/** Writes a value for a message. An embedder may pass values that JSON cannot write, such as a bigint. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing"
  try {
    return (JSON.stringify(value) ?? typeof value).slice(0, 80)
  } catch {
    return typeof value
  }
}
