/** Mounts the endpoints of the service in an express application. */
import type { Request, RequestHandler, Response } from "express"
import type { Issuer } from "../../app/issuer.ts"
import { createCors } from "../../gate/cors.ts"
import { requireIssuer } from "../../gate/gate-options.ts"
import { rawHeadersOf } from "../../gate/raw-headers.ts"
import { createPeerOf } from "../peer.ts"
import { createServedPath } from "../served-path.ts"
import { sendWebAnswer } from "../web-answer.ts"
import { webRequest } from "../web-request.ts"
import { sendAnswer, setHeaders } from "./answer.ts"
import { passErrors } from "./errors.ts"
import { isMisconfigured, noteServer } from "./mounted.ts"
import { createParserCheck } from "./parsers.ts"
import { hasOwnRoute, isGated, isServed } from "./place.ts"

/**
 * Serves the token endpoint, the metadata documents and the health checks. Mount it before any body parser, at the root or
 * at the path of the issuer's URL; a proxy in front may remove that path. While a key of `costs` names no route, the gates
 * are shut, nothing is sold, and the service is not ready.
 *
 * Preflights from the origins of `cors` are answered here for these endpoints and for gated routes, because express
 * answers OPTIONS for its routes without asking the gate on them.
 */
export function authorizationServer(issuer: Issuer): RequestHandler {
  requireIssuer(issuer, "authorizationServer()")
  const { config, router } = issuer
  const { protocol, host } = new URL(config.issuer)
  const cors = createCors(config)
  const peerOf = createPeerOf(config.trustProxy)
  const servedPath = createServedPath(config.issuer, router.serves)
  const whyUnreadable = createParserCheck(issuer.log)

  /** The path in the route table. A path without the issuer's own may be a route of the application. */
  function pathOf(req: Request, arrived: string): string | undefined {
    const path = servedPath(arrived)
    if (path === undefined || path === arrived) return path
    return hasOwnRoute(req, arrived) ? undefined : path
  }

  async function answerTo(req: Request, res: Response, path: string, arrived: string) {
    if (req.method === "POST" && router.readsBodies(path)) {
      const cause = await whyUnreadable(req, arrived, serveEndpoint)
      if (cause !== undefined) return router.refuse(path, "body_parsed", cause)
    }
    const request = webRequest(req, res, { protocol, host })
    if (!request) return router.refuse(path, req.method === "TRACE" ? "method_not_allowed" : "malformed")
    return router.handle(request, {
      path,
      peer: peerOf(req),
      rawHeaders: rawHeadersOf(req),
      isMisconfigured: isMisconfigured(issuer, req.app),
    })
  }

  const serveEndpoint = passErrors(async (req, res, next) => {
    const { method } = req
    const rawHeaders = rawHeadersOf(req)
    const arrived = req.baseUrl + req.path
    const path = pathOf(req, arrived)
    const headers = cors.headersFor(method, rawHeaders)
    if (cors.isPreflight(method, rawHeaders) && (path !== undefined || isGated(issuer, req, arrived))) {
      sendAnswer(res, { status: 204, headers: { ...headers, "content-length": "0" }, body: "" })
      return
    }
    if (path === undefined) {
      next()
      return
    }
    isServed(issuer, req.app)
    if (method !== "OPTIONS") setHeaders(res, headers)
    const answer = await answerTo(req, res, path, arrived)
    await sendWebAnswer(res, answer)
  })
  noteServer(issuer, serveEndpoint)
  return serveEndpoint
}
