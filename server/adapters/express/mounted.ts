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
/** Issuers whose costs without a route were logged. */
const misconfigured = new WeakSet<Issuer>()
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

/** Throws while a cost names no route, so that the gate stays shut. */
export function requireUsedCosts(issuer: Issuer, app: Application): void {
  if (isChecked(issuer, app)) return
  const problems = problemsOf(issuer, app, listGates(issuer, app))
  if (problems.length > 0) throw new Error(problems.join("; "))
}

/**
 * Whether a cost names no route of the application, which shuts its gates. Logged once, at the first request to an
 * endpoint: express hands the application to no middleware before. An application without a visible gate is not judged.
 */
export function isMisconfigured(issuer: Issuer, app: Application): boolean {
  if (Object.keys(issuer.config.costs).length === 0 || isChecked(issuer, app)) return false
  const listed = listGates(issuer, app)
  if (!listed.routes.some(({ isGated }) => isGated)) return false
  const problems = problemsOf(issuer, app, listed)
  if (problems.length > 0 && !misconfigured.has(issuer)) {
    misconfigured.add(issuer)
    issuer.log.error({ problems }, "costs name no route: the gates stay shut, and nothing is sold")
  }
  return problems.length > 0
}

const isChecked = (issuer: Issuer, app: Application): boolean => checked.get(issuer)?.has(app) ?? false

const listGates = (issuer: Issuer, app: Application) =>
  listRoutes(app, (handle) => gatesOf(issuer).has(handle))

/**
 * A line for each cost that no route has. Warns instead where a part of the application that cannot be seen may have the
 * route, and where the gate is not on the route itself.
 */
function problemsOf(
  issuer: Issuer,
  app: Application,
  { routes, isWhole }: ReturnType<typeof listRoutes>,
): readonly string[] {
  const { costs } = issuer.config
  const problems = unusedCosts(costs, routes)
  if (problems.length > 0 && isWhole) return problems
  const gated = routes.filter(({ isGated }) => isGated)
  const doubts = unusedCosts(costs, gated)
  if (doubts.length > 0) issuer.log.warn({ doubts }, "costs were not found at a route with a gate on it")
  checked.set(issuer, (checked.get(issuer) ?? new WeakSet()).add(app))
  return []
}
