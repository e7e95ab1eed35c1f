/** Writes a whole answer of the proxy's own to a Node response. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { PlainAnswer } from "../../shared/oauth/gate-answer.ts"
import { leaveBody } from "../adapters/unread-body.ts"

export function sendAnswer(
  req: IncomingMessage,
  res: ServerResponse,
  { status, headers, body }: PlainAnswer,
): void {
  if (res.destroyed) return
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  leaveBody(req, res)
  res.writeHead(status).end(body)
}
