/** Knows the gates and endpoints that were made for an application, and checks that every cost names a route. */
import type { Application } from "express"
import type { Issuer } from "../../app/issuer.ts"
import { unusedCosts } from "../../gate/route-costs.ts"
import { listRoutes } from "./routes.ts"

const gates = new WeakMap<Issuer, Set<unknown>>()
/** The handlers of `authorizationServer()`. */
const servers = new WeakMap<Issuer, Set<unknown>>()
/** Issuers whose lack of endpoints was reported. */
const reported = new WeakSet<Issuer>()
/** Applications in which every cost of the issuer was found at a route. */
const checked = new WeakMap<Issuer, WeakSet<Application>>()

export function noteGate(issuer: Issuer, gate: unknown): void {
  gates.set(issuer, gatesOf(issuer).add(gate))
}

export function noteServer(issuer: Issuer, handler: unknown): void {
  servers.set(issuer, serversOf(issuer).add(handler))
}

export const gatesOf = (issuer: Issuer): Set<unknown> => gates.get(issuer) ?? new Set()

export const serversOf = (issuer: Issuer): Set<unknown> => servers.get(issuer) ?? new Set()

/** Without a token endpoint a buyer reads a price and has nowhere to pay. The service of another process may have it. */
export function warnUnserved(issuer: Issuer): void {
  if (servers.has(issuer) || reported.has(issuer)) return
  reported.add(issuer)
  issuer.log.warn(
    { tokenEndpoint: `${issuer.config.issuer}/token` },
    "a gate was reached, and this process serves no token endpoint: mount authorizationServer(issuer)",
  )
}

/**
 * Throws while a cost names no route. Warns where a part of the application that cannot be seen may hold it, and where the
 * gate is not on the route itself.
 */
export function requireUsedCosts(issuer: Issuer, app: Application): void {
  const apps = checked.get(issuer) ?? new WeakSet()
  if (apps.has(app)) return
  const { routes, isWhole } = listRoutes(app, (handle) => gatesOf(issuer).has(handle))
  const problems = unusedCosts(issuer.config.costs, routes)
  if (problems.length > 0 && isWhole) throw new Error(problems.join("; "))
  const doubts = unusedCosts(
    issuer.config.costs,
    routes.filter(({ isGated }) => isGated),
  )
  if (doubts.length > 0) issuer.log.warn({ doubts }, "costs were not found at a route with a gate on it")
  checked.set(issuer, apps.add(app))
}
