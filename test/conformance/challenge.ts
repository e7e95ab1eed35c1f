/** Reads `WWW-Authenticate` (RFC 9110 §11.6.1), in which one field may hold several challenges. */
import { Deviation } from "./outcomes.ts"

export type Challenge = {
  readonly scheme: string
  /** In order of the field; a name may occur twice, which a rule checks. */
  readonly attributes: readonly (readonly [name: string, value: string])[]
}

const part =
  /\s*(?:([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s+(?=[\w.-]+\s*=))?([\w.-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)/gy

/** Throws {@link Deviation} for a text that is no list of challenges. */
export function challengesIn(fields: readonly string[]): readonly Challenge[] {
  const text = fields.join(", ")
  const found: { scheme: string; attributes: [string, string][] }[] = []
  let end = 0
  for (const [whole, scheme, name = "", quoted, plain] of text.matchAll(part)) {
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), attributes: [] })
    found.at(-1)?.attributes.push([name.toLowerCase(), quoted ?? plain ?? ""])
    end += whole.length
  }
  if (end !== text.length || (text !== "" && found.length === 0))
    throw new Deviation(`WWW-Authenticate: found ${text.slice(0, 60)}, wanted challenges`)
  return found
}

export const attributeOf = (challenge: Challenge | undefined, name: string): string | undefined =>
  challenge?.attributes.find(([each]) => each === name)?.[1]
