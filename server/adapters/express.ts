/** Express at the rim: puts the gate before routes and mounts the ticket office. */
import { createRequest, sendResponse } from "@remix-run/node-fetch-server"
import type { NextFunction, Request, RequestHandler, Response } from "express"
import onHeaders from "on-headers"
import proxyAddr from "proxy-addr"
import type { Claims } from "../../shared/oauth/access-token.ts"
import { dpopHeader, dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import { acceptPaymentHeader, paymentHeaderV1, paymentSignatureHeader } from "../../shared/x402/messages.ts"
import type { Issuer } from "../app/issuer.ts"
import type { GateRequest } from "../gate/gate.ts"
import type { Charge } from "../gate/metering.ts"
import type { Entry } from "../http/pay-at-routes.ts"
import type { PlainAnswer } from "../http/payment-required.ts"
import { rateLimitFields } from "../http/rate-limit.ts"
import { createCors } from "./cors.ts"
import { fieldsOf, repeatedHeader } from "./raw-headers.ts"

export { type HardenOptions, hardenServer, hardServerOptions } from "./harden.ts"

export type GateOptions = {
  /** What a call of this route costs. */
  readonly units?: number
}

/** What the gate lets a handler know of the caller: `res.locals.token`. */
export type TokenClaims = Readonly<Claims>

/**
 * Lets a request through when its token covers `scope`, and answers for the handler otherwise. Put it on the route itself
 * (`app.get("/movies/:id", gate(issuer, "movies:read"), handler)`): a second path parser beside the router is a way in.
 *
 * Where calls are counted, a call costs `units`, else what `costs` of the configuration says of the route, else 1; one
 * that is answered with 5xx costs nothing. Whoever hangs up pays, because the handler worked all the same.
 */
export function gate(issuer: Issuer, scope: string, { units }: GateOptions = {}): RequestHandler {
  if (units !== undefined && !(Number.isSafeInteger(units) && units >= 1))
    throw new RangeError(`gate(): found ${units} units, wanted a whole number from 1 on`)
  const cors = createCors(issuer.config.cors)
  const { costs } = issuer.config
  const walkIn = createWalkIn(issuer)
  const isUniform = units !== undefined || Object.keys(costs).length === 0
  const costOf = (req: Request): number => (isUniform ? (units ?? 1) : (costs[routeName(req)] ?? 1))
  return async function checkToken(req, res, next) {
    // Express answers OPTIONS for routes by itself; under app.use it would reach the handler.
    cors.apply(req, res)
    if (req.method === "OPTIONS") return
    if (req.method === "TRACE") {
      // It would send the ticket back to whatever page or proxy made it.
      res.writeHead(405, { "cache-control": "no-store" }).end()
      return
    }
    let charge: Charge | null
    try {
      if (fieldsOf(req.rawHeaders, "host").length > 1) {
        sendAnswer(res, issuer.challenges("host_ambiguous", { scope, pattern: "" }))
        return
      }
      const cost = costOf(req)
      const shown = readGateRequest(req, scope)
      const entry = await walkIn(req, res, shown, cost)
      if (entry?.kind === "answer") {
        await sendResponse(res, entry.answer)
        return
      }
      // Before the gate decides: what was bought is the buyer's, however the call ends.
      for (const [name, value] of Object.entries(entry?.headers ?? {})) res.setHeader(name, value)
      const verdict = await issuer.gate({
        ...shown,
        cost,
        ...(entry && { authorization: [entry.credential] }),
      })
      if (verdict.kind === "refuse") {
        if (verdict.dpopNonce !== undefined) res.setHeader(dpopNonceHeader, verdict.dpopNonce)
        const mpp = req.get(acceptPaymentHeader) !== undefined
        const route = {
          scope,
          pattern: routePattern(req),
          cost,
          payAtRoutes: issuer.payAtRoutes !== undefined,
          mpp,
        }
        const paid = entry && issuer.payAtRoutes?.refuse(verdict.reason)
        if (paid) await sendResponse(res, paid)
        else sendAnswer(res, issuer.challenges(verdict.reason, route))
        return
      }
      if (verdict.dpopNonce !== undefined) res.setHeader(dpopNonceHeader, verdict.dpopNonce)
      res.locals.token = verdict.claims satisfies TokenClaims
      charge = verdict.charge
    } catch (error) {
      // A gate that cannot tell stays shut: never the handler (HTP-25).
      issuer.log.error({ err: error }, "the gate failed")
      sendAnswer(res, issuer.challenges("gate_unavailable", { scope, pattern: "" }))
      return
    }
    // On the way out, so that no handler can make a shared cache keep what was paid for (HTP-20).
    onHeaders(res, () => res.setHeader("cache-control", "private, no-store"))
    if (charge) settleWith(res, charge)
    next()
  }
}

/**
 * Serves the token endpoint, the metadata documents and the health checks. Mount it at the root, before any body parser.
 * Preflights from the origins of `cors` are answered here for the whole application: express answers OPTIONS for its
 * routes without asking the gate on them.
 */
export function authorizationServer(issuer: Issuer): RequestHandler {
  const { protocol, host } = new URL(issuer.config.issuer)
  const cors = createCors(issuer.config.cors)
  const peerOf = createPeerOf(issuer)

  return async function serveEndpoint(req: Request, res: Response, next: NextFunction) {
    if (cors.isPreflight(req)) {
      cors.apply(req, res)
      return
    }
    if (!issuer.router.serves(req.path)) {
      next()
      return
    }
    if (req.readableEnded && Number(req.headers["content-length"] ?? 0) > 0) {
      next(new Error("authorizationServer() must be mounted before body parsers: the body was already read"))
      return
    }
    if (req.method !== "OPTIONS") cors.apply(req, res)
    const request = webRequest(req, res, { protocol, host })
    const caller = {
      path: req.path,
      peer: peerOf(req),
      repeated: repeatedHeader(req.rawHeaders),
    }
    const answer = request
      ? issuer.router.handle(request, caller)
      : issuer.router.refuse(req.path, req.method === "TRACE" ? "method_not_allowed" : "malformed")
    await sendResponse(res, await answer)
  }
}

/** The address a request came from, as far as trusted proxies tell. */
function createPeerOf({ config }: Issuer): (req: Request) => string {
  const trusted = proxyAddr.compile([...config.trustProxy])
  return (req) => (req.socket.remoteAddress === undefined ? "" : proxyAddr(req, trusted))
}

/** Lets somebody in who pays at the door, where that is possible; a token that is shown decides alone. */
function createWalkIn(issuer: Issuer) {
  const peerOf = createPeerOf(issuer)
  return (req: Request, res: Response, shown: GateRequest, cost: number): Promise<Entry> | undefined => {
    if (!shown.payment || shown.authorization.length > 0 || shown.queryToken) return undefined
    const gone = new AbortController()
    res.once("close", () => gone.abort())
    return issuer.payAtRoutes?.enter({
      header: (name) => req.get(name),
      caller: { peer: peerOf(req), repeated: repeatedHeader(req.rawHeaders) },
      gatedRoute: { scope: shown.scope, cost },
      signal: gone.signal,
    })
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

function readGateRequest(req: Request, scope: string): GateRequest {
  const [path = "", query = ""] = req.originalUrl.split(/\?(.*)/s, 2)
  return {
    authorization: fieldsOf(req.rawHeaders, "authorization"),
    payment: req.get(paymentSignatureHeader) !== undefined || req.get(paymentHeaderV1) !== undefined,
    queryToken: /(?:^|&)access_token=/.test(query),
    dpop: fieldsOf(req.rawHeaders, dpopHeader),
    method: req.method,
    path,
    scope,
  }
}

/** The call costs what it costs once it is answered, and the caller sees what is left. */
function settleWith(res: Response, charge: Charge): void {
  const isFailed = () => res.statusCode >= 500
  onHeaders(res, () => {
    for (const [name, value] of Object.entries(rateLimitFields(charge, isFailed())))
      res.setHeader(name, value)
  })
  res.once("close", () => charge.settle(res.headersSent && isFailed() ? "returned" : "kept"))
}

/** As `costs` of the configuration names it. */
const routeName = (req: Request): string =>
  `${req.method === "HEAD" ? "GET" : req.method} ${routePattern(req)}`

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
