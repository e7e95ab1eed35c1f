/** Writes a web `Response` to a Node response. */
import type { ServerResponse } from "node:http"
import { sendResponse } from "@remix-run/node-fetch-server"
import { TextResponse } from "../http/respond.ts"
import { leaveBody } from "./unread-body.ts"

/** A text is written at once, without a stream. */
export async function sendWebAnswer(res: ServerResponse, answer: Response): Promise<void> {
  leaveBody(res.req, res)
  if (!(answer instanceof TextResponse)) return sendResponse(res, answer)
  res.statusCode = answer.status
  res.setHeaders(answer.headers)
  res.end(answer.content)
}
