/** Compares the paths that a service advertises with those that an application serves, by the layers of its router. */
import type { Application, Request } from "express"
import { wellKnown } from "../../../shared/oauth/messages.ts"
import type { Issuer } from "../../app/issuer.ts"
import { arrivalsOf } from "../served-path.ts"
import { handlersOn } from "./layers.ts"
import { gatesOf, serversOf } from "./mounted.ts"

/** Whether buyers reach the token endpoint, by application. */
const served = new WeakMap<Issuer, WeakMap<Application, boolean>>()

/**
 * False where the application mounts the endpoints, and no request for the advertised token endpoint reaches them, with or
 * without the path of the issuer: a buyer would sign a payment and find nothing there. The fault is logged once.
 */
export function isServed(issuer: Issuer, app: Application): boolean {
  const known = served.get(issuer) ?? new WeakMap<Application, boolean>()
  const answer = known.get(app) ?? compare(issuer, app)
  served.set(issuer, known.set(app, answer))
  return answer
}

function compare(issuer: Issuer, app: Application): boolean {
  const { config, log } = issuer
  const servers = serversOf(issuer)
  // Endpoints inside a function, or in another process, cannot be seen.
  if (![...handlersOn(app)].some(({ handle }) => servers.has(handle))) return true
  const isReached = (path: string): boolean =>
    [...handlersOn(app, path)].some(({ handle, isHidden }) => isHidden || servers.has(handle))
  const tokenEndpoint = `${config.issuer}/token`
  if (!arrivalsOf(config.issuer, pathOf(tokenEndpoint)).some(isReached)) {
    log.error(
      { tokenEndpoint },
      "the advertised token endpoint is not served, so nothing is sold: mount authorizationServer(issuer) at the root or at the path of the issuer",
    )
    return false
  }
  const documents = [
    wellKnown(config.issuer, "oauth-authorization-server"),
    wellKnown(config.resource, "oauth-protected-resource"),
  ].filter((document) => !isReached(pathOf(document)))
  if (documents.length > 0)
    log.warn(
      { documents },
      "metadata documents are advertised and not served: mount authorizationServer(issuer) at the root",
    )
  return true
}

const pathOf = (url: string): string => new URL(url).pathname

/**
 * Whether a gate stands on the way of the request that a preflight announces. An application that cannot be seen counts
 * as gated where a gate was made and is nowhere else.
 */
export function isGated(issuer: Issuer, { app, headers }: Request, path: string): boolean {
  const announced = String(headers["access-control-request-method"])
  const gates = gatesOf(issuer)
  const onTheWay = [...handlersOn(app, path)]
  if (onTheWay.some(({ handle, method }) => gates.has(handle) && isMethod(method, announced))) return true
  if (!onTheWay.some(({ isHidden }) => isHidden)) return false
  const seen = new Set([...handlersOn(app)].map(({ handle }) => handle))
  return [...gates].some((gate) => !seen.has(gate))
}

/** Whether the application has a route of exactly that path. */
export const hasOwnRoute = ({ app, method }: Request, path: string): boolean =>
  [...handlersOn(app, path)].some(
    (handler) =>
      typeof handler.routePath === "string" &&
      !/[*{:(]/.test(handler.routePath) &&
      isMethod(handler.method, method),
  )

const isMethod = (method: string | undefined, wanted: string): boolean =>
  method === undefined || method === wanted || (method === "GET" && wanted === "HEAD")
