/** Parses JSON from outside: with bounded depth, and without keys that could reach a prototype. */

export class JsonError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "JsonError"
  }
}

const forbiddenKeys = new Set(["__proto__", "constructor", "prototype"])

/**
 * Throws {@link JsonError} on bad syntax, nesting deeper than `maxDepth`, a key named like a prototype member, or a
 * repeated key: two readers on the way may have read different values (RFC 8725 §3.7).
 */
export function parseJson(text: string, maxDepth = 16): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new JsonError("found text that is not JSON")
  }
  if (inspect(value, maxDepth) !== writtenKeys(text)) throw new JsonError("found a key given twice")
  return value
}

/** Counts the keys of all objects inside. */
function inspect(value: unknown, depth: number): number {
  if (typeof value !== "object" || value === null) return 0
  if (depth === 0) throw new JsonError("found JSON nested too deep")
  const keys = Object.keys(value)
  let count = Array.isArray(value) ? 0 : keys.length
  for (const key of keys) {
    if (forbiddenKeys.has(key)) throw new JsonError("found a forbidden key")
    count += inspect((value as Record<string, unknown>)[key], depth - 1)
  }
  return count
}

/** Counts the keys written in a JSON text, where every string before a colon is a key. */
function writtenKeys(text: string): number {
  let count = 0
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon !== undefined) count += 1
  return count
}
