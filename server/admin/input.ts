/** Reads the query and the JSON body of an admin request strictly: an unknown or repeated name is refused. */
import { z } from "zod"
import { readParameters } from "../http/read-body.ts"
import { AdminRefusal } from "./refusals.ts"

/** A sequence of the ledger, to read on after; 0 by default. */
export const sequence = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,14})$/, "wanted a sequence of the ledger")
  .transform(Number)
  .default(0)
/** The size of a page; 100 by default. */
export const limit = z
  .string()
  .regex(/^(?:[1-9][0-9]{0,2}|1000)$/, "wanted a whole number from 1 to 1000")
  .transform(Number)
  .default(100)

export function readQuery<S extends z.ZodObject>({ url }: Request, schema: S): z.output<S> {
  const given = [...new URL(url).searchParams]
  const names = given.map(([name]) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new AdminRefusal("malformed", `found ${quoted(twice)} twice`)
  return parsed(Object.fromEntries(given), schema)
}

export async function readJson<S extends z.ZodObject>(request: Request, schema: S): Promise<z.output<S>> {
  return parsed(Object.fromEntries(await readParameters(request)), schema)
}

function parsed<S extends z.ZodObject>(value: unknown, schema: S): z.output<S> {
  const { success, data, error } = schema.safeParse(value)
  if (success) return data
  const [issue] = error.issues
  if (issue?.code === "unrecognized_keys")
    throw new AdminRefusal(
      "malformed",
      `found ${quoted(issue.keys[0] ?? "")}, wanted only ${Object.keys(schema.shape).join(", ")}`,
    )
  const message = issue?.message.replace(/^Invalid input: expected/, "wanted")
  throw new AdminRefusal("malformed", `${issue?.path.join(".")}: ${message}`)
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 80))
