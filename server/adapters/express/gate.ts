/** Puts the gate before express routes: translates requests to facts, and outcomes to answers. */
import type { Request, RequestHandler, Response } from "express"
import onHeaders from "on-headers"
import type { Claims } from "../../../shared/oauth/access-token.ts"
import type { Issuer } from "../../app/issuer.ts"
import { finalHeaders, settleCall } from "../../gate/handle-gate.ts"
import { sendAnswer, setHeaders } from "./answer.ts"
import { createPeerOf } from "./peer.ts"

export type GateOptions = {
  /** The units that a call of this route costs. */
  readonly units?: number
}

/** The caller's token as a handler finds it in `res.locals.token`. */
export type TokenClaims = Readonly<Claims>

/**
 * Lets a request through when its token covers `scope`, and answers for the handler otherwise. Put it on the route itself
 * (`app.get("/movies/:id", gate(issuer, "movies:read"), handler)`): a second path parser beside the router can be bypassed.
 *
 * Where calls are counted, a call costs `units`, else the entry of the route in `costs` of the configuration, else 1. A call
 * that is answered with 5xx costs nothing. A caller that hangs up pays, because the handler worked all the same.
 */
export function gate(issuer: Issuer, scope: string, { units }: GateOptions = {}): RequestHandler {
  if (units !== undefined && !(Number.isSafeInteger(units) && units >= 1))
    throw new RangeError(`gate(): found ${units} units, wanted a whole number from 1 on`)
  const { costs } = issuer.config
  const isUniform = units !== undefined || Object.keys(costs).length === 0
  const peerOf = createPeerOf(issuer.config.trustProxy)

  return async function checkToken(req, res, next) {
    const outcome = await issuer.handleGate({
      method: req.method,
      target: req.originalUrl,
      rawHeaders: req.rawHeaders,
      scope,
      cost: isUniform ? (units ?? 1) : (costs[routeName(req)] ?? 1),
      pattern: () => routePattern(req),
      payer: () => ({ peer: peerOf(req), signal: closeSignal(res) }),
    })
    if (outcome.kind === "answer") {
      sendAnswer(res, outcome)
      return
    }
    setHeaders(res, outcome.headers)
    res.locals.token = outcome.claims satisfies TokenClaims
    onHeaders(res, () => setHeaders(res, finalHeaders(outcome, res.statusCode)))
    if (outcome.charge)
      res.once("close", () => settleCall(outcome, res.headersSent ? res.statusCode : undefined))
    next()
  }
}

function closeSignal(res: Response): AbortSignal {
  const gone = new AbortController()
  res.once("close", () => gone.abort())
  return gone.signal
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
