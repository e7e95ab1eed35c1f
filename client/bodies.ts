/** Bodies of strangers: read up to a limit, once, and never past it. */

/** Reads a stream to its end; undefined when it holds more than `max` bytes, or is `late` before its end. */
export async function readBounded(
  stream: ReadableStream<Uint8Array> | null,
  max: number,
  late?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (stream === null) return new Uint8Array()
  const reader = stream.getReader()
  const leave = (): void => void reader.cancel().catch(() => {})
  late?.addEventListener("abort", leave, { once: true })
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    // What is cancelled reads as if it had come to its end.
    const { done, value } = await reader.read()
    if (late?.aborted) return undefined
    if (done) break
    length += value.byteLength
    if (length > max) {
      leave()
      return undefined
    }
    chunks.push(value)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

/** The text of an answer; undefined when it is longer than `max` bytes, `late`, or not UTF-8. */
export async function readText(
  response: Response,
  max: number,
  late?: AbortSignal,
): Promise<string | undefined> {
  const bytes = await readBounded(response.body, max, late)
  if (bytes === undefined) return undefined
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Gives the connection back of an answer nobody will read. */
export function discard(response: Response): void {
  if (!response.bodyUsed) void response.body?.cancel().catch(() => {})
}
