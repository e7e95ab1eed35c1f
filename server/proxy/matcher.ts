/** Finds the route of a proxied request. The first route of the configuration that matches decides. */
import createTree from "find-my-way"
import { type ProxiedRoute, proxiedMethods } from "../core/proxied-services.ts"
import { foldedPath } from "../core/proxy-path.ts"

/** Takes a method and a canonical path. Undefined: nothing is forwarded. */
export type Matcher = (method: string, path: string) => ProxiedRoute | undefined

/**
 * A server that ignores case or a slash at the end could answer a free spelling with a priced resource. So a path that
 * reaches a priced route only after folding has no route. Throws a RangeError for a route that no request reaches.
 */
export function createMatcher(routes: readonly ProxiedRoute[]): Matcher {
  const exact = routes.map((route) => testOf(route, route.pattern))
  const lenient = routes.map((route) => testOf(route, trimmed(route.pattern.toLowerCase())))

  function firstOf(tests: readonly Test[], method: string, path: string): ProxiedRoute | undefined {
    return routes[tests.findIndex((test) => test(method, path))]
  }

  function match(method: string, path: string): ProxiedRoute | undefined {
    const verb = method === "HEAD" ? "GET" : method
    const found = firstOf(exact, verb, path)
    const folded = foldedPath(path)
    if (!found || folded === undefined) return undefined
    const short = trimmed(escaped(folded))
    const spellings = found.pattern.endsWith("*") ? [short, `${short}/`] : [short]
    const isTaken = spellings.some((spelling) => {
      const other = firstOf(lenient, verb, spelling)
      return other !== undefined && other !== found && other.price !== null
    })
    return isTaken ? undefined : found
  }

  for (const route of routes) requireReached(route, match)
  return match
}

type Test = (method: string, path: string) => boolean

/**
 * One tree for each route: a shared tree prefers literal segments to parameters, whatever the order of the configuration.
 */
function testOf({ method }: ProxiedRoute, pattern: string): Test {
  const tree = createTree({ maxParamLength: Number.MAX_SAFE_INTEGER, caseSensitive: true })
  tree.on("GET", pattern, () => undefined)
  return (asked, path) =>
    (method === undefined ? isProxied(asked) : asked === method) && tree.find("GET", path) !== null
}

const proxied: ReadonlySet<string> = new Set(proxiedMethods)
const isProxied = (method: string): boolean => proxied.has(method)

/** A folded path may hold any character, and the tree reads escapes. */
const escaped = (folded: string): string => folded.split("/").map(encodeURIComponent).join("/")

const trimmed = (path: string): string => (path.length > 1 ? path.replace(/\/$/, "") : path)

function requireReached(route: ProxiedRoute, match: Matcher): void {
  const sample = route.pattern.replace(/:[A-Za-z0-9_]+/g, "~~0").replace(/\*$/, "~~0/~~0")
  const method = route.method ?? "GET"
  const first = match(method, sample)
  if (first !== route)
    throw new RangeError(
      `found ${JSON.stringify(route.name)}, which no request reaches${first ? `, after ${JSON.stringify(first.name)}` : ""}; wanted narrow routes first`,
    )
}
