/** Serves the admin API in an express application, or as an HTTP server of its own. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import type { RequestHandler } from "express"
import { adminHandler } from "../../app/admin.ts"
import type { Issuer } from "../../app/issuer.ts"
import { sendWebAnswer } from "../web-answer.ts"
import { webRequest } from "../web-request.ts"
import { passErrors } from "./errors.ts"

/** A reader that takes nothing for so long is dropped; open streams send something more often. */
const idleMilliseconds = 60_000

/**
 * Answers every request below its mount point, such as `app.use("/admin", adminAddress(issuer))`. Mount it before any
 * body parser.
 */
export function adminAddress(issuer: Issuer): RequestHandler {
  const handle = adminHandler(issuer)
  return passErrors((req, res) => answer(handle, req, res))
}

/** The same for `http.createServer`. */
export function adminListener(issuer: Issuer): RequestListener {
  const handle = adminHandler(issuer)
  return (req, res) => {
    answer(handle, req, res).catch((error: unknown) => {
      issuer.log.warn({ err: error }, "an admin request failed")
      res.destroy()
    })
  }
}

async function answer(
  handle: (request: Request) => Promise<Response>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  res.setTimeout(idleMilliseconds, () => res.destroy())
  const request = webRequest(req, res)
  if (!request) {
    res.writeHead(400, { "content-length": "0" }).end()
    return
  }
  await sendWebAnswer(res, await handle(request))
}
