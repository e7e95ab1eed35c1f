/** Mounts the endpoints of the service in an express application. */
import { createRequest, sendResponse } from "@remix-run/node-fetch-server"
import type { Request, RequestHandler, Response } from "express"
import type { Issuer } from "../../app/issuer.ts"
import { createCors } from "../../gate/cors.ts"
import { requireIssuer } from "../../gate/gate-options.ts"
import { sendAnswer, setHeaders } from "./answer.ts"
import { passErrors } from "./errors.ts"
import { noteServed } from "./mounted.ts"
import { createPeerOf } from "./peer.ts"

/**
 * Serves the token endpoint, the metadata documents and the health checks. Mount it at the root, before any body parser.
 * Preflights from the origins of `cors` are answered here for the whole application, because express answers OPTIONS for
 * its routes without asking the gate on them.
 */
export function authorizationServer(issuer: Issuer): RequestHandler {
  requireIssuer(issuer, "authorizationServer()")
  noteServed(issuer)
  const { config, router } = issuer
  const { protocol, host } = new URL(config.issuer)
  const cors = createCors(config.cors)
  const peerOf = createPeerOf(config.trustProxy)

  return passErrors(async function serveEndpoint(req, res, next) {
    const { method, path, rawHeaders } = req
    const headers = cors.headersFor(method, rawHeaders)
    if (cors.isPreflight(method, rawHeaders)) {
      sendAnswer(res, { status: 204, headers: { ...headers, "content-length": "0" }, body: "" })
      return
    }
    if (!router.serves(path)) {
      next()
      return
    }
    if (req.readableEnded && Number(req.headers["content-length"] ?? 0) > 0) {
      next(new Error("authorizationServer() must be mounted before body parsers: the body was already read"))
      return
    }
    if (method !== "OPTIONS") setHeaders(res, headers)
    const request = webRequest(req, res, { protocol, host })
    const answer = request
      ? router.handle(request, { path, peer: peerOf(req), rawHeaders })
      : router.refuse(path, method === "TRACE" ? "method_not_allowed" : "malformed")
    await sendResponse(res, await answer)
  })
}

/** Undefined for requests that the web's `Request` cannot hold: TRACE, and targets in absolute form. */
function webRequest(req: Request, res: Response, place: { protocol: string; host: string }) {
  try {
    return createRequest(req, res, place)
  } catch {
    return undefined
  }
}
