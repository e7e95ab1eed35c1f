/** The tools' schemas: unknown arguments are refused, and hosts see only keywords that all of them take. */
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { z } from "zod"
import { suggestName } from "../../shared/values/option-names.ts"

/** Refuses an unknown argument and names the nearest: an ignored one would change the purchase without a word. */
export const strict = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => `unknown argument ${key}${suggestName(key, Object.keys(shape))}`).join("; ")
        : undefined,
  })

/** Keywords that some hosts refuse, together with the whole tool. */
const refused = ["$schema", "additionalProperties", "propertyNames", "exclusiveMinimum", "exclusiveMaximum"]

/** A schema without those keywords; the server itself goes on checking them. */
function plainSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plainSchema)
  if (typeof schema !== "object" || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([keyword]) => !refused.includes(keyword))
      .map(([keyword, value]) => [keyword, plainSchema(value)]),
  )
}

/** A transport that sends the list of tools with plain schemas. */
export function withPlainSchemas<T extends Transport>(transport: T): T {
  const send = transport.send.bind(transport)
  transport.send = (message, options) => {
    const tools = "result" in message ? message.result.tools : undefined
    if (!Array.isArray(tools) || !("result" in message)) return send(message, options)
    return send({ ...message, result: { ...message.result, tools: plainSchema(tools) } }, options)
  }
  return transport
}
