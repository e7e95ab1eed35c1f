/** Handles bodies that an answer does not wait for: they are not asked for, and do not block the next request. */
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { hasBody } from "./body-bytes.ts"

/** Longest body that is read only to keep its connection. */
const mostDiscardedBytes = 64 * 1024

/**
 * Sends `100 Continue` when a handler begins to read the body, and not before (RFC 9110 §10.1.1). Node ends the connection
 * after an answer that comes without it.
 */
export function continueOnRead(server: Server): void {
  server.on("checkContinue", (req: IncomingMessage, res: ServerResponse) => {
    const read = req._read
    req._read = (size) => {
      req._read = read
      if (!res.headersSent) res.writeContinue()
      read.call(req, size)
    }
    server.emit("request", req, res)
  })
}

/**
 * Called before an answer is sent. A short rest of the body is read and dropped; otherwise the connection ends after the
 * answer, because the next request on it would wait for the rest, or be taken for it.
 */
export function leaveBody(req: IncomingMessage, res: ServerResponse): void {
  if (req.complete || !hasBody(req)) return
  const length = Number(req.headers["content-length"] ?? Number.POSITIVE_INFINITY)
  if (length > mostDiscardedBytes) res.setHeader("connection", "close")
  else req.resume()
}
