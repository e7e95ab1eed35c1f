/** Finds the cost of a call by the names of its route, which `costs` of the configuration holds. */
import { suggestName } from "../../shared/values/option-names.ts"

/** Units by method and path, such as `GET /movies/{id}`. */
export type Costs = Readonly<Record<string, number>>

/** The paths by which a route may be named; a route with several paths or optional parts has several. */
export type RoutePaths = {
  /** The paths that the request matched. */
  readonly matched: readonly string[]
  readonly all: readonly string[]
}

/** A route of the application. `methods` is undefined where every method reaches it. */
export type NamedRoute = {
  readonly methods: ReadonlySet<string> | undefined
  readonly paths: readonly string[]
}

/** HEAD is GET without a body, and costs the same. */
const methodOf = (method: string): string => (method === "HEAD" ? "GET" : method)

/**
 * The matched path decides. Where it has no cost, the dearest of the route's other paths does, because a caller could
 * choose the path without one. A route without any costs 1.
 */
export function costOf(costs: Costs, method: string, { matched, all }: RoutePaths): number {
  const dearest = (paths: readonly string[]): number =>
    Math.max(0, ...paths.map((path) => costs[`${methodOf(method)} ${path}`] ?? 0))
  return dearest(matched) || dearest(all) || 1
}

/** One line for each cost that no route would ever charge: a misspelt one would sell a dear route for 1. */
export function unusedCosts(costs: Costs, routes: readonly NamedRoute[]): readonly string[] {
  const isCharged = (key: string): boolean => {
    const [method = "", path = ""] = key.split(" ")
    return routes.some(
      ({ methods, paths }) => paths.includes(path) && (methods === undefined || methods.has(method)),
    )
  }
  const names = routes.flatMap(({ methods, paths }) =>
    [...(methods ?? ["GET", "POST"])].flatMap((method) => paths.map((path) => `${method} ${path}`)),
  )
  return Object.keys(costs)
    .filter((key) => !isCharged(key))
    .map((key) => `costs.${key}: found no route of that name${suggestName(key, names)}`)
}
