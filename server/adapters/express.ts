/** Express at the rim: puts the gate before routes and mounts the ticket office. */
import { createRequest, sendResponse } from "@remix-run/node-fetch-server"
import type { NextFunction, Request, RequestHandler, Response } from "express"
import onHeaders from "on-headers"
import { paymentHeaderV1, paymentSignatureHeader } from "../../shared/x402.ts"
import type { Issuer } from "../app.ts"
import type { Claims } from "../core/claims.ts"
import type { GateRequest } from "../gate.ts"
import type { PlainAnswer } from "../http/challenge.ts"

/** What the gate lets a handler know of the caller: `res.locals.ticket`. */
export type Ticket = Readonly<Claims>

/**
 * Lets a request through when its token covers `scope`, and answers for the handler otherwise. Put it on the route itself
 * (`app.get("/movies/:id", gate(issuer, "movies:read"), handler)`): a second path parser beside the router is a way in.
 */
export function gate(issuer: Issuer, scope: string): RequestHandler {
  return async function ticketGate(req, res, next) {
    // Express answers OPTIONS for routes by itself; under app.use it would reach the handler.
    if (req.method === "OPTIONS") {
      res.status(204).end()
      return
    }
    try {
      const verdict = await issuer.gate(readGateRequest(req, scope))
      if (verdict.kind === "refuse") {
        sendAnswer(res, issuer.challenges(verdict.reason, { scope, pattern: routePattern(req) }))
        return
      }
      res.locals.ticket = verdict.claims satisfies Ticket
    } catch {
      // A gate that cannot tell stays shut: never the handler (HTP-25).
      sendAnswer(res, issuer.challenges("gate_unavailable", { scope, pattern: "" }))
      return
    }
    // On the way out, so that no handler can make a shared cache keep what was paid for (HTP-20).
    onHeaders(res, () => res.setHeader("cache-control", "private, no-store"))
    next()
  }
}

/** Serves the token endpoint and the metadata documents. Mount it at the root, before any body parser. */
export function office(issuer: Issuer): RequestHandler {
  const { protocol, host } = new URL(issuer.config.issuer)
  return async function ticketOffice(req: Request, res: Response, next: NextFunction) {
    if (!issuer.office.serves(req.path)) {
      next()
      return
    }
    if (req.readableEnded && Number(req.headers["content-length"] ?? 0) > 0) {
      next(new Error("office() must be mounted before body parsers: the body was already read"))
      return
    }
    const request = webRequest(req, res, { protocol, host })
    const answer = request
      ? issuer.office.handle(request)
      : issuer.office.refuse(req.path, req.method === "TRACE" ? "method_not_allowed" : "malformed")
    await sendResponse(res, await answer)
  }
}

/** Undefined for what the web's `Request` does not know: TRACE, and targets in absolute form. */
function webRequest(req: Request, res: Response, place: { protocol: string; host: string }) {
  try {
    return createRequest(req, res, place)
  } catch {
    return undefined
  }
}

/** Node joins or drops duplicate header fields; the gate judges what really arrived. */
function readGateRequest(req: Request, scope: string): GateRequest {
  const authorization: string[] = []
  let payment = false
  for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
    const name = req.rawHeaders[at]?.toLowerCase()
    if (name === "authorization") authorization.push(req.rawHeaders[at + 1] ?? "")
    else if (name === paymentSignatureHeader.toLowerCase() || name === paymentHeaderV1.toLowerCase())
      payment = true
  }
  const query = req.originalUrl.indexOf("?")
  return {
    authorization,
    payment,
    queryToken: query !== -1 && /[?&]access_token=/.test(req.originalUrl.slice(query)),
    scope,
  }
}

/** `/movies/:id` as `/movies/{id}`; the mount path for gates under `app.use`. */
function routePattern(req: Request): string {
  const path: unknown = req.route?.path
  const pattern = `${req.baseUrl}${typeof path === "string" ? path : ""}`
  return pattern.replace(/[:*]([A-Za-z_$][\w$]*)/g, "{$1}")
}

function sendAnswer(res: Response, answer: PlainAnswer): void {
  res.writeHead(answer.status, answer.headers)
  res.end(answer.body)
}
