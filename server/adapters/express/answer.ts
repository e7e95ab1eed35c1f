/** Writes headers and whole answers to an express response. */
import type { Response } from "express"
import type { PlainAnswer } from "../../../shared/oauth/gate-answer.ts"
import { leaveBody } from "../unread-body.ts"

type Headers = PlainAnswer["headers"]

const exposed = "access-control-expose-headers"

/** Lists are added to: a cache needs every reason for an answer to vary, and the application exposes headers of its own. */
export function setHeaders(res: Response, headers: Headers): void {
  for (const [name, value] of Object.entries(headers))
    if (name === "vary") res.vary(value)
    else if (name === exposed) res.setHeader(name, union(String(res.getHeader(name) ?? ""), value))
    else res.setHeader(name, value)
}

/** Adds the exposed headers again, in case the application has replaced the list. */
export function keepExposed(res: Response, headers: Headers): void {
  const value = headers[exposed]
  if (value !== undefined) setHeaders(res, { [exposed]: value })
}

export function sendAnswer(res: Response, { status, headers, body }: PlainAnswer): void {
  setHeaders(res, headers)
  leaveBody(res.req, res)
  res.writeHead(status).end(body)
}

/** Both lists, each name once in the first of its spellings. */
function union(list: string, more: string): string {
  const names = [list, more].flatMap((each) => each.split(",").map((name) => name.trim()))
  const byName = new Map(names.toReversed().map((name) => [name.toLowerCase(), name]))
  return [...byName.values()]
    .reverse()
    .filter((name) => name !== "")
    .join(",")
}
