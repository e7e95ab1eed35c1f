/** Writes the answer of a service: its bytes as they come, or one line of JSON about all of it. */
import { type FileHandle, open, unlink } from "node:fs/promises"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { codeOf } from "../node/private-file.ts"
import { readPrefix } from "../wire/bodies.ts"
import { CommandError } from "./failures.ts"
import type { Paid } from "./money.ts"
import type { Terminal } from "./terminal.ts"

export type AnswerOptions = {
  readonly output?: string
  readonly include?: boolean
  readonly json?: boolean
}

/** The longest body that a line of JSON contains. */
const mostBytes = 10 * 1024 * 1024

export type Answer = {
  write(response: Response, paid: readonly Paid[]): Promise<void>
  /** Removes the file that was created for an answer that does not come. */
  abandon(): Promise<void>
}

/** Opens the file before anything is paid, so that no answer is lost for the lack of one. */
export async function createAnswer(options: AnswerOptions, terminal: Terminal): Promise<Answer> {
  const { stdout } = terminal
  const { output } = options
  const file = output === undefined ? undefined : await openOutput(output)

  return {
    async write(response, paid) {
      const { status, statusText } = response
      const headers = [...response.headers]
      if (options.include && !options.json) {
        const lines = [`HTTP ${status} ${statusText}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
        const head = `${lines.join("\n")}\n\n`
        stdout.write(stdout.isTTY ? marked(head) : head)
      }
      if (file) await drain(response, file.handle)
      else if (!options.json) await show(response)
      if (options.json) {
        const body = file ? { output } : await bodyOf(response)
        terminal.printJson({ status, headers: Object.fromEntries(headers), ...body, paid })
      }
    },
    async abandon() {
      await file?.handle.close()
      if (file?.isNew && output !== undefined) await unlink(output)
    },
  }

  async function show({ body }: Response): Promise<void> {
    if (!body) return
    const source = Readable.fromWeb(body as never)
    const writing = stdout.isTTY
      ? pipeline(source, harmless, stdout, { end: false })
      : pipeline(source, stdout, { end: false })
    await writing.catch(unwritten)
  }
}

type Output = { readonly handle: FileHandle; readonly isNew: boolean }

async function openOutput(path: string): Promise<Output> {
  try {
    return { handle: await open(path, "wx"), isNew: true }
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw unopened(error)
  }
  try {
    return { handle: await open(path, "r+"), isNew: false }
  } catch (error) {
    throw unopened(error)
  }
}

async function drain({ body }: Response, handle: FileHandle): Promise<void> {
  if ((await handle.stat()).isFile()) await handle.truncate()
  const target = handle.createWriteStream()
  await pipeline(body ? Readable.fromWeb(body as never) : Readable.from([]), target).catch(unwritten)
}

const marked = (text: string): string => text.replace(/(?![\t\n])\p{Cc}/gu, "\ufffd")

/** Marks control characters in a text of a stranger: a terminal would move its cursor or set its title. */
async function* harmless(chunks: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder()
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true })
    if (text.includes("\0"))
      throw new CommandError(
        "The answer is binary, which a terminal does not show: use -o and a file.",
        "output",
      )
    yield marked(text.replaceAll("\r\n", "\n"))
  }
}

async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  const { bytes, isWhole } = await readPrefix(response.body, mostBytes)
  const cut = isWhole ? {} : { truncated: true }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
    return { body: jsonOr(text), ...cut }
  } catch {
    return { bodyBase64: Buffer.from(bytes).toString("base64"), ...cut }
  }
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const unopened = (error: unknown): CommandError =>
  new CommandError(`The file for the answer cannot be opened (${codeOf(error)}). Nothing was paid.`, "output")

function unwritten(error: unknown): never {
  const code = codeOf(error)
  if (/^E[A-Z]+$/.test(code)) throw new CommandError(`The answer could not be written (${code}).`, "output")
  throw error
}
