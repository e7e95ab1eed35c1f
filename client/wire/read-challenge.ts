/** Reads the challenge of a 402: its offers, token endpoint and audience. */
import type * as z from "zod"
import { decodeHeader } from "../../shared/values/codec.ts"
import { parseJson } from "../../shared/values/json.ts"
import {
  accessTokenExtension,
  paymentRequiredHeader,
  paymentRequiredSchema,
} from "../../shared/x402/messages.ts"
import type { Challenge } from "../core/challenge.ts"
import { Ticket402Error } from "../core/errors.ts"
import { readText } from "./bodies.ts"
import { timeoutSignal } from "./timeout.ts"

const maxBytes = 65_536

/**
 * The challenge of a 402: from the header, or from the body when there is none. Undefined for a 402 of another kind,
 * whose body is left unread. Throws `challenge_malformed` for one that claims to be ours and is not readable, or not
 * there in time (CLI-18).
 */
export async function readChallenge(response: Response, timeoutMs: number): Promise<Challenge | undefined> {
  const json = readHeader(response)
  return json === undefined ? readBodyChallenge(response, timeoutMs) : interpret(json)
}

/** Reads the header of a 402; undefined when it has none. */
export function readHeader(response: Response): unknown {
  const header = response.headers.get(paymentRequiredHeader)
  if (header === null) return undefined
  if (header.length > maxBytes) throw malformed(`a header of ${header.length} characters`)
  return parsed(() => decodeHeader(header))
}

/** Reads the challenge in the body, which has the entries that did not fit into the header. */
export async function readBodyChallenge(
  response: Response,
  timeoutMs: number,
): Promise<Challenge | undefined> {
  return interpret(await readBody(response, timeoutMs))
}

/** The JSON in the body of a 402, which can still be read by others; undefined when there is none. */
export async function readBody(response: Response, timeoutMs: number): Promise<unknown> {
  if (response.body === null || response.bodyUsed || !isJson(response)) return undefined
  // A copy, because a 402 of another kind goes to the caller whole.
  const text = await readText(response.clone(), maxBytes, timeoutSignal(timeoutMs))
  if (text === undefined)
    throw malformed(`a body of more than ${maxBytes} bytes or ${timeoutMs} ms, or not UTF-8`)
  return text === "" ? undefined : parsed(() => parseJson(text))
}

const isJson = (response: Response): boolean =>
  /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(response.headers.get("content-type") ?? "")

function parsed(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : "unreadable text")
  }
}

function interpret(json: unknown): Challenge | undefined {
  if (!isOurs(json)) return undefined
  const { accepts, error, extensions } = requireShape(paymentRequiredSchema, json)
  const info = extensions?.[accessTokenExtension]?.info
  if (!info) return undefined
  return { accepts, info, insufficientGrant: error === "insufficient_scope" || error === "token_exhausted" }
}

/** Parses with the schema; throws `challenge_malformed`. */
export function requireShape<T>(schema: z.ZodType<T>, json: unknown): T {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw malformed(`${issue?.message ?? "another form"} at ${issue?.path.join(".") || "the top"}`)
}

/** x402 v2 with our extension. */
function isOurs(json: unknown): boolean {
  if (typeof json !== "object" || json === null) return false
  const { x402Version, extensions } = json as { x402Version?: unknown; extensions?: unknown }
  return (
    x402Version === 2 &&
    typeof extensions === "object" &&
    extensions !== null &&
    Object.hasOwn(extensions, accessTokenExtension)
  )
}

const malformed = (found: string): Ticket402Error =>
  new Ticket402Error("challenge_malformed", "The 402 is not readable.", { action: "stop", found })
