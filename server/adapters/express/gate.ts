/** Puts the gate before express routes: translates requests to facts, and outcomes to answers. */
import type { Request, RequestHandler } from "express"
import onHeaders from "on-headers"
import type { Claims } from "../../../shared/oauth/access-token.ts"
import type { Issuer } from "../../app/issuer.ts"
import { type GateOptions, requireGateOptions, requireIssuer } from "../../gate/gate-options.ts"
import { finalHeaders, outcomeOf } from "../../gate/handle-gate.ts"
import { rawHeadersOf } from "../../gate/raw-headers.ts"
import { costOf } from "../../gate/route-costs.ts"
import { closeSignal } from "../close-signal.ts"
import { createPeerOf } from "../peer.ts"
import { keepExposed, sendAnswer, setHeaders } from "./answer.ts"
import { passErrors } from "./errors.ts"
import { noteGate, requireUsedCosts, warnUnserved } from "./mounted.ts"
import { isServed } from "./place.ts"
import { findRoute } from "./routes.ts"

/** The caller's token as a handler finds it in `res.locals.token`. */
export type TokenClaims = Readonly<Claims>

/**
 * Lets a request through when its token covers `scope`, and answers for the handler otherwise. Put it on the route itself
 * (`app.get("/movies/:id", gate(issuer, "movies:read"), handler)`): a second path parser beside the router can be bypassed.
 *
 * Where calls are counted, a call costs `units`, else the entry of the route in `costs` of the configuration, else 1. A call
 * that is answered with 5xx costs nothing. A caller that hangs up pays, because the handler worked all the same.
 *
 * Throws a TypeError or RangeError for an issuer that is none, an unknown scope and unknown options.
 */
export function gate(issuer: Issuer, scope: string, options: GateOptions = {}): RequestHandler {
  requireIssuer(issuer, "gate()")
  requireGateOptions(scope, options, issuer.config)
  const { costs, trustProxy } = issuer.config
  const { units, tokenHeader } = options
  const isUniform = units !== undefined || Object.keys(costs).length === 0
  const peerOf = createPeerOf(trustProxy)

  /** Throws where the cost is not known, so that the gate stays shut. */
  function costOfRoute(req: Request): number {
    if (isUniform) return units ?? 1
    requireUsedCosts(issuer, req.app)
    const route = findRoute(req, checkToken)
    if (!route) throw new Error(`gate(): found no route, wanted the gate on a route of express, or { units }`)
    return costOf(costs, req.method, route)
  }

  const checkToken = passErrors(async (req, res, next) => {
    warnUnserved(issuer)
    const outcome = await issuer.handleGate({
      method: req.method,
      target: req.originalUrl,
      rawHeaders: rawHeadersOf(req),
      scope,
      tokenHeader,
      cost: () => costOfRoute(req),
      pattern: () => findRoute(req, checkToken)?.pattern ?? "",
      isSold: () => isServed(issuer, req.app),
      payer: () => ({ peer: peerOf(req), signal: closeSignal(res) }),
    })
    if (outcome.kind === "answer") {
      sendAnswer(res, outcome)
      return
    }
    setHeaders(res, outcome.headers)
    res.locals.token = outcome.claims satisfies TokenClaims
    onHeaders(res, () => {
      setHeaders(res, finalHeaders(outcome, outcomeOf(res.statusCode)))
      keepExposed(res, outcome.headers)
    })
    const { charge } = outcome
    if (charge)
      res.once("close", () => charge.settle(outcomeOf(res.headersSent ? res.statusCode : undefined)))
    next()
  })

  noteGate(issuer, checkToken)
  return checkToken
}
