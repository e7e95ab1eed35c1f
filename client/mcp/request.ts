/** Builds the request of a tool call, with headers that describe its content only. */
import { CommandError } from "../cli/failures.ts"

/** No header with credentials or payments, and none that identifies the caller to proxies and services. */
const allowed: ReadonlySet<string> = new Set([
  "accept",
  "accept-language",
  "cache-control",
  "content-language",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-unmodified-since",
  "prefer",
  "range",
])

export const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const

export type ToolRequest = {
  readonly method: (typeof methods)[number]
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
}

/** Throws a {@link CommandError} for a header that a tool call may not set, or whose value is none. */
export function initOf({ method, headers: given = {}, body }: ToolRequest): RequestInit {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given)) {
    if (!allowed.has(name.toLowerCase()))
      throw new CommandError(`A header may not be set by a tool call. These may: ${[...allowed].join(", ")}.`)
    try {
      headers.append(name, value)
    } catch {
      throw new CommandError(`The value of the header ${name.toLowerCase()} is wrong.`)
    }
  }
  if (body !== undefined && (method === "GET" || method === "HEAD"))
    throw new CommandError(`A ${method} request has no body.`)
  return { method, headers, ...(body !== undefined && { body }) }
}
