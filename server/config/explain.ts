/** What the schema refused, in a line that says what was found and wanted. */
import { distance } from "fastest-levenshtein"
import type { z } from "zod"
import { networkShape } from "./networks.ts"
import { configSchema, offerSchema, priceSchema } from "./schema.ts"
import { show } from "./show.ts"
import { memberShape } from "./whitelist.ts"

/** One line per problem of the schema, with the nearest known name for an unknown key. */
export function explain(issue: z.core.$ZodIssue, input: unknown): string[] {
  const path = issue.path.map(String).join(".")
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => {
      const nearest = nearestKey(key)
      return `${path ? `${path}.` : ""}${key}: unknown key${nearest ? `, did you mean ${show(nearest)}?` : ""}`
    })
  const found = issue.path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    input,
  )
  // Whoever writes the secret itself in place of its hash must not find it in the log.
  const shown = issue.path.at(-1) === "secretSha256" ? hide(found) : show(found)
  return [`${path}: found ${shown}, ${issue.message.replace(/^Invalid input: expected/, "wanted")}`]
}

const knownKeys = [
  configSchema,
  configSchema.shape.relayer.unwrap(),
  configSchema.shape.limits.unwrap(),
  offerSchema,
  priceSchema,
  networkShape,
  memberShape,
].flatMap((schema) => Object.keys(schema.shape))

function nearestKey(key: string): string | undefined {
  const [best] = knownKeys
    .map((known) => ({ known, steps: distance(known.toLowerCase(), key.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps)
  return best && best.steps <= Math.max(2, key.length / 3) ? best.known : undefined
}

const hide = (value: unknown): string =>
  typeof value === "string" ? `${value.length} characters` : show(value)
