/** Reads a body within bounds of size and time, and its parameters by content type. */
import { Refusal } from "../../shared/refusals.ts"
import { JsonError, parseJson } from "../../shared/values/json.ts"

const maximumBodyBytes = 64 * 1024
const maximumBodySeconds = 10

/** The connection ended before the body. */
export class HungUp extends Error {
  constructor(options: ErrorOptions) {
    super("a caller hung up before the end of its body", options)
    this.name = "HungUp"
  }
}

/** The parameters of a token request; none for an empty body. A parameter given twice is refused (RFC 6749 §3.2). */
export async function readParameters(
  request: Request,
  seconds = maximumBodySeconds,
): Promise<Map<string, unknown>> {
  const text = await readText(request, seconds)
  if (text === "") return new Map()
  const type = contentType(request.headers.get("content-type"))
  if (type === "application/json") return jsonParameters(text)
  if (type === "application/x-www-form-urlencoded") return formParameters(text)
  throw new Refusal("media_type_unsupported")
}

/** The media type when its charset is absent or UTF-8; undefined otherwise. */
function contentType(header: string | null): string | undefined {
  const [type = "", ...parameters] = (header ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim())
  const charset = parameters.find((part) => part.startsWith("charset="))?.slice("charset=".length)
  return charset === undefined || charset.replaceAll('"', "") === "utf-8" ? type : undefined
}

function jsonParameters(text: string): Map<string, unknown> {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (error) {
    if (error instanceof JsonError) throw new Refusal("malformed", `In the body: ${error.message}.`)
    throw error
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Refusal("malformed", "Wanted a JSON object as the body.")
  return new Map(Object.entries(value))
}

function formParameters(text: string): Map<string, unknown> {
  const parameters = new Map<string, unknown>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (parameters.has(name)) throw new Refusal("malformed", "Found a parameter given twice.")
    parameters.set(name, value)
  }
  return parameters
}

async function readText(request: Request, seconds: number): Promise<string> {
  if (!request.body) return ""
  if (Number(request.headers.get("content-length") ?? 0) > maximumBodyBytes)
    throw new Refusal("body_too_large")
  if (request.headers.has("content-encoding"))
    throw new Refusal("media_type_unsupported", "Found a content-encoding.")
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Refusal("body_timeout")), seconds * 1000)
  })
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late])
      if (done) break
      size += value.byteLength
      if (size > maximumBodyBytes) throw new Refusal("body_too_large")
      chunks.push(value)
    }
  } catch (error) {
    // Lets go of the socket, which may be gone already. Nothing waits for it, because a body that never ends never lets go.
    reader.cancel().catch(() => undefined)
    throw error instanceof Refusal ? error : new HungUp({ cause: error })
  } finally {
    clearTimeout(timer)
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw new Refusal("malformed", "Found a body that is not UTF-8.")
  }
}
