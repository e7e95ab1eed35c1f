/** Posts JSON to one address over connections that stay open, and reads the answer within a time limit. */
import * as http from "node:http"
import * as https from "node:https"
import { urlToHttpOptions } from "node:url"

/** No answer that can be used. The message does not name the address, which may hold a secret. */
export class HttpFailed extends Error {
  /** Undefined when no whole answer came. */
  readonly status: number | undefined

  constructor(message: string, { status, cause }: { status?: number; cause?: unknown } = {}) {
    super(message, { cause })
    this.name = "HttpFailed"
    this.status = status
  }
}

export type PostAnswer = { readonly status: number; readonly body: string }
/** Resolves to an answer of any status. Throws {@link HttpFailed} when no whole answer comes. */
export type Post = (body: string) => Promise<PostAnswer>

export type Connection = {
  readonly post: Post
  /** Ends the connections, and fails the requests under way. */
  close(): void
}

export type ConnectionOptions = {
  readonly address: string
  /** Of one request with its answer. */
  readonly timeoutMs: number
}

/** The longest real answers are lists of logs. */
const mostBytes = 10 * 1024 * 1024

/** Uses Node's own client, because fetch takes ten times the CPU time for a small answer. */
export function openConnection({ address, timeoutMs }: ConnectionOptions): Connection {
  const url = new URL(address)
  const { Agent, request } = url.protocol === "https:" ? https : http
  const agent = new Agent({ keepAlive: true })
  const target = { ...urlToHttpOptions(url), method: "POST", agent }

  const post: Post = (body) =>
    new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) }
      const sent = request({ ...target, headers }, (response) => {
        const parts: Buffer[] = []
        let length = 0
        response.on("data", (part: Buffer) => {
          length += part.length
          if (length > mostBytes) sent.destroy(new Error(`the answer is longer than ${mostBytes} bytes`))
          else parts.push(part)
        })
        response.once("error", fail)
        response.once("end", () => {
          clearTimeout(timer)
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString("utf8") })
        })
      })
      // The limit covers all of the answer: a body that never ends would hold the caller for ever.
      const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
      function fail(cause: unknown): void {
        clearTimeout(timer)
        reject(new HttpFailed("a node gave no answer", { cause }))
      }
      sent.once("error", fail)
      sent.end(body)
    })

  return { post, close: () => agent.destroy() }
}
