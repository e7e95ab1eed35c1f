/** Writes headers and whole answers to an express response. */
import type { Response } from "express"
import type { PlainAnswer } from "../../../shared/oauth/gate-answer.ts"

/** `Vary` is added to, because a cache needs every reason for an answer to vary. */
export function setHeaders(res: Response, headers: PlainAnswer["headers"]): void {
  for (const [name, value] of Object.entries(headers))
    if (name === "vary") res.vary(value)
    else res.setHeader(name, value)
}

export function sendAnswer(res: Response, { status, headers, body }: PlainAnswer): void {
  setHeaders(res, headers)
  res.writeHead(status).end(body)
}
