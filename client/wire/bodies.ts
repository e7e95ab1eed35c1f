/** Reads bodies of strangers once, and never past a limit. */
import { parseJson } from "../../shared/values/json.ts"

/** Reads a stream to its end; undefined when it holds more than `max` bytes, or is `late` before its end. */
export async function readBounded(
  stream: ReadableStream<Uint8Array> | null,
  max: number,
  late?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { bytes, isWhole } = await readPrefix(stream, max, late)
  return isWhole ? bytes : undefined
}

/** Reads a stream up to `max` bytes, or until it is `late`, and leaves the rest. */
export async function readPrefix(
  stream: ReadableStream<Uint8Array> | null,
  max: number,
  late?: AbortSignal,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly isWhole: boolean }> {
  if (stream === null) return { bytes: new Uint8Array(), isWhole: true }
  const reader = stream.getReader()
  const leave = (): void => void reader.cancel().catch(() => {})
  late?.addEventListener("abort", leave, { once: true })
  const chunks: Uint8Array[] = []
  let length = 0
  while (length <= max) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    length += value.byteLength
  }
  if (length > max) leave()
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  // A cancelled stream reads like one that has ended.
  return { bytes: bytes.subarray(0, max), isWhole: length <= max && late?.aborted !== true }
}

/** React Native has no streams of answers: their bodies are in memory already. */
async function bytesOf(
  response: Response,
  max: number,
  late: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (response.body !== undefined) return readBounded(response.body, max, late)
  const bytes = new Uint8Array(await response.arrayBuffer())
  return bytes.byteLength > max ? undefined : bytes
}

/** The text of an answer; undefined when it is longer than `max` bytes, `late`, or not UTF-8. */
export async function readText(
  response: Response,
  max: number,
  late?: AbortSignal,
): Promise<string | undefined> {
  const bytes = await bytesOf(response, max, late)
  if (bytes === undefined) return undefined
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** The JSON of an answer; undefined when it is none, longer than `max` bytes, or not UTF-8. */
export async function readJson(response: Response, max: number): Promise<unknown> {
  const text = await readText(response, max)
  try {
    return text === undefined ? undefined : parseJson(text)
  } catch {
    return undefined
  }
}

/** Frees the connection of an answer that nobody will read. */
export function discard(response: Response): void {
  if (!response.bodyUsed) void response.body?.cancel().catch(() => {})
}
