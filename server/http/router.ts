/** Finds the endpoint of a request in the route table: one row an endpoint. */
import { type Reason, Refusal } from "../../shared/refusals.ts"
import type { GatedRoute } from "../core/offers.ts"
import { type RawHeaders, repeatedHeader } from "../gate/raw-headers.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import { createHangUps } from "./hang-ups.ts"
import { HungUp } from "./read-body.ts"
import { refusalResponse } from "./respond.ts"

/** The facts of a request that a web `Request` loses. */
export type Caller = {
  /** As it was sent: `URL` would resolve `..`, and with it let a path choose another route. */
  readonly path: string
  /** The address it came from, as far as trusted proxies report it. */
  readonly peer: string
  readonly rawHeaders: RawHeaders
  /** The route at which a payment came that is redeemed here. */
  readonly gatedRoute?: GatedRoute
  /** True where a mistake in its set-up shuts the gates of the application. */
  readonly isMisconfigured?: boolean
}

export type Handler = (request: Request, caller: Caller) => Response | Promise<Response>

export type Route = {
  readonly path: string
  readonly methods: readonly string[]
  readonly handle: Handler
  /** Explains the endpoint to a GET or HEAD that it does not take. */
  readonly show?: Handler
  /** True for requests that a proxy forwards: every path below, every method, and repeated headers unchanged. */
  readonly forwarded?: true
  /** True for the sale of tokens and for readiness: neither is served while no token would open a gate. */
  readonly sells?: true
}

export type Router = {
  /** Whether a path is one of the route table. */
  serves(path: string): boolean
  /** Whether the endpoint of the path reads request bodies. */
  readsBodies(path: string): boolean
  /** Always answers; never throws. */
  handle(request: Request, caller: Caller): Promise<Response>
  /** For adapters: the answer where no web `Request` can be made of what arrived. */
  refuse(path: string, reason: Reason, found?: string): Response
}

/** Of an answer that reaches no caller; the number is the one of nginx. */
const hungUpStatus = 499

export function createRouter(
  routes: readonly Route[],
  { log, now }: { readonly log: Logger; readonly now: Now },
): Router {
  const noteHangUp = createHangUps(log, now)
  const byPath = new Map(routes.map((route) => [route.path, route]))
  const forwarded = routes.filter((route) => route.forwarded)
  const routeOf = (path: string): Route | undefined =>
    byPath.get(path) ?? forwarded.find((route) => path.startsWith(`${route.path}/`))

  async function answer(request: Request, caller: Caller, route: Route | undefined): Promise<Response> {
    if (!route) throw new Refusal("not_found")
    if (route.sells && caller.isMisconfigured) throw new Refusal("misconfigured")
    if (route.forwarded) return route.handle(request, caller)
    const method = request.method === "HEAD" ? "GET" : request.method
    const handle = route.methods.includes(method) ? route.handle : method === "GET" ? route.show : undefined
    if (!handle) throw new Refusal("method_not_allowed")
    const repeated = repeatedHeader(caller.rawHeaders)
    if (repeated !== undefined) throw new Refusal("malformed", `Found the header ${repeated} twice.`)
    return handle(request, caller)
  }

  return {
    serves: (path) => routeOf(path) !== undefined,
    readsBodies: (path) => routeOf(path)?.methods.includes("POST") === true,
    async handle(request, caller) {
      const route = routeOf(caller.path)
      try {
        return await answer(request, caller, route)
      } catch (error) {
        if (!(error instanceof HungUp || request.signal.aborted))
          return refusalResponse(error, log, route?.methods)
        noteHangUp()
        return new Response(null, { status: hungUpStatus })
      }
    },
    refuse: (path, reason, found) => refusalResponse(new Refusal(reason, found), log, routeOf(path)?.methods),
  }
}
