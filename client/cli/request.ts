/** The request that the arguments of `fetch` describe, spelled as curl spells them. */
import { readFile } from "node:fs/promises"
import { buffer } from "node:stream/consumers"
import { parseUrl } from "../core/origins.ts"
import { codeOf } from "../node/private-file.ts"
import { CommandError } from "./failures.ts"
import type { Terminal } from "./terminal.ts"

export type RequestOptions = {
  readonly request?: string
  /** A text, `@` and a file name, or `@-` for stdin. */
  readonly data?: string
  readonly header?: readonly string[]
}

export type CommandRequest = { readonly url: URL; readonly init: RequestInit }

/** Throws a {@link CommandError} for arguments that make no request. */
export async function requestOf(
  text: string,
  options: RequestOptions,
  terminal: Terminal,
): Promise<CommandRequest> {
  const url = parseUrl(text)
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new CommandError(
      "The URL is wrong: wanted one that begins with https://, without a password in it.",
    )
  const headers = headersOf(options.header ?? [])
  const body = options.data === undefined ? undefined : await dataOf(options.data, terminal)
  if (body && !headers.has("content-type")) headers.set("content-type", mediaTypeOf(body))
  const method = options.request ?? (body ? "POST" : "GET")
  if (body && /^(?:get|head)$/i.test(method)) throw new CommandError(`A ${method} request has no data.`)
  return { url, init: { method, headers, ...(body && { body }) } }
}

function headersOf(lines: readonly string[]): Headers {
  const headers = new Headers()
  for (const line of lines) {
    const [, name = "", value = ""] = /^([^:]+):(.*)$/.exec(line) ?? []
    try {
      headers.append(name, value.trim())
    } catch {
      // Its own message quotes the value, which may be a secret.
      throw new CommandError('A header is wrong: wanted "Name: value".')
    }
  }
  return headers
}

async function dataOf(data: string, { stdin }: Terminal): Promise<Uint8Array<ArrayBuffer>> {
  if (!data.startsWith("@")) return new TextEncoder().encode(data)
  try {
    return new Uint8Array(data === "@-" ? await buffer(stdin) : await readFile(data.slice(1)))
  } catch (error) {
    throw new CommandError(`The data cannot be read (${codeOf(error)}).`)
  }
}

/** JSON if it parses as JSON, else a form, as curl sends it. */
function mediaTypeOf(body: Uint8Array): string {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body))
    return "application/json"
  } catch {
    return "application/x-www-form-urlencoded"
  }
}
