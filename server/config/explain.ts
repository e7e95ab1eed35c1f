/** Explains a refusal of the schema, with the value found and the value wanted. */
import type { z } from "zod"
import { suggestName } from "../../shared/values/option-names.ts"
import { adminTokenSchema } from "./admin.ts"
import { networkShape } from "./networks.ts"
import { configSchema, offerSchema, priceSchema } from "./schema.ts"
import { routeShapes, serviceSchema } from "./services-schema.ts"
import { show } from "./show.ts"
import { memberShape } from "./whitelist.ts"

/** One line per problem of the schema, with the nearest known name for an unknown key. */
export function explain(issue: z.core.$ZodIssue, input: unknown): string[] {
  const path = issue.path.map(String).join(".")
  if (issue.code === "unrecognized_keys")
    return issue.keys.map(
      (key) => `${path ? `${path}.` : ""}${key}: unknown key${suggestName(key, knownKeys)}`,
    )
  const found = issue.path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    input,
  )
  // A secret in place of its hash or its file, or the key in the URL of a node, must not reach the log.
  const isSecret = issue.path.some((key) => secretKeys.has(String(key)))
  const shown = isSecret ? hide(found) : show(found)
  return [`${path}: found ${shown}, ${issue.message.replace(/^Invalid input: expected/, "wanted")}`]
}

const secretKeys: ReadonlySet<string> = new Set(["secretSha256", "rpcUrls", "bearer", "headers", "baseUrl"])

const knownKeys = [
  configSchema,
  configSchema.shape.relayer.unwrap(),
  configSchema.shape.limits.unwrap(),
  configSchema.shape.admin.unwrap(),
  adminTokenSchema,
  offerSchema,
  priceSchema,
  networkShape,
  memberShape,
  serviceSchema,
  ...Object.values(routeShapes),
].flatMap((schema) => Object.keys(schema.shape))

function hide(value: unknown): string {
  if (typeof value === "string") return `${value.length} characters`
  return typeof value === "object" ? (Array.isArray(value) ? "a list" : "an object") : show(value)
}
