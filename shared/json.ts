/** JSON from outside: bounded depth, and no key that could reach a prototype. */

export class JsonError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "JsonError"
  }
}

const forbiddenKeys = new Set(["__proto__", "constructor", "prototype"])

/**
 * Parses JSON text; of a key given twice every reader here sees the last, as `JSON.parse` does.
 * Throws {@link JsonError} on bad syntax, nesting deeper than `maxDepth`, or a key named like a prototype member.
 */
export function parseJson(text: string, maxDepth = 16): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new JsonError("found text that is not JSON")
  }
  inspect(value, maxDepth)
  return value
}

function inspect(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return
  if (depth === 0) throw new JsonError("found JSON nested too deep")
  for (const key of Object.keys(value)) {
    if (forbiddenKeys.has(key)) throw new JsonError("found a forbidden key")
    inspect((value as Record<string, unknown>)[key], depth - 1)
  }
}
