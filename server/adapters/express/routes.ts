/** Finds routes in the layers of an express application: a caller chooses the spelling of a URL, and not its pattern. */
import type { Application, Request } from "express"
import type { NamedRoute, RoutePaths } from "../../gate/route-costs.ts"
import {
  appsOf,
  insideOf,
  type Layer,
  type Matched,
  type Path,
  restOf,
  type Stack,
  stackOf,
} from "./layers.ts"
import { nameOf, namesOf, namesWith } from "./route-names.ts"
import { findRouteOf4, forgetsMounts, listRoutesOf4 } from "./routes-of-4.ts"

export type FoundRoute = RoutePaths & {
  /** The matched pattern as a 402 names it. */
  readonly pattern: string
}

/** A layer on the way to the gate: the pattern that matched, and all that could have. */
type Step = { readonly matched: Matched; readonly layer: Layer }

/** The route at which the gate stands that now handles the request; undefined where the gate is called in another way. */
export function findRoute(req: Request, gate: unknown): FoundRoute | undefined {
  if (forgetsMounts(req.app)) return findRouteOf4(req)
  const [root, ...apps] = appsOf(req.app)
  if (!root) return undefined
  const isGate = ({ handle, route }: Layer): boolean =>
    route ? route === req.route && route.stack.some((each) => each.handle === gate) : handle === gate
  const isRoute = ({ route }: Layer): boolean => route !== undefined && route === req.route
  const path = req.baseUrl + req.path
  const steps = walk(stackOf(root), path, isGate, apps) ?? walk(stackOf(root), path, isRoute, apps)
  if (!steps) return undefined
  const parameters = new Set(steps.flatMap(({ matched }) => Object.keys(matched.params)))
  const texts = steps.map(({ matched }) => textOf(matched.pattern))
  const all = steps.reduce<readonly string[]>((before, { layer }) => join(before, pathsOf(layer)), [""])
  const pattern = texts.reduce((before, text) => withoutSlash(before) + text, "")
  return { pattern: nameOf(pattern), matched: namesWith(pattern, parameters), all: all.flatMap(namesOf) }
}

function walk(
  stack: Stack,
  path: string,
  isWanted: (layer: Layer) => boolean,
  apps: readonly Application[],
): readonly Step[] | undefined {
  for (const layer of stack) {
    const matched = matchOf(layer, path)
    if (!matched) continue
    if (isWanted(layer)) return [{ matched, layer }]
    const inner = insideOf(layer, apps)
    const steps = inner && walk(inner.stack, restOf(path, matched.path), isWanted, inner.apps)
    if (steps) return [{ matched, layer }, ...steps]
  }
  return undefined
}

function matchOf(layer: Layer, path: string): Matched | undefined {
  try {
    const matched = layer.match(path)
    return typeof matched === "object" ? matched : undefined
  } catch {
    // The router passes a layer over whose parameters cannot be decoded.
    return undefined
  }
}

export type ListedRoute = NamedRoute & { readonly isGated: boolean }

/** Every route and mount; `isWhole` is false where a part of the application cannot be seen. */
export function listRoutes(
  app: Application,
  isGate: (handle: unknown) => boolean,
): { readonly routes: readonly ListedRoute[]; readonly isWhole: boolean } {
  if (forgetsMounts(app)) return listRoutesOf4(app, isGate)
  const [root, ...inner] = appsOf(app)
  const routes: ListedRoute[] = []
  let isWhole = true

  function list(stack: Stack, before: readonly string[], apps: readonly Application[]): void {
    for (const layer of stack) {
      const paths = join(before, pathsOf(layer))
      const { route, handle } = layer
      const inside = insideOf(layer, apps)
      if (inside) list(inside.stack, paths, inside.apps)
      else if (layer.name === "mounted_app") isWhole = false
      const isGated = route ? route.stack.some((each) => isGate(each.handle)) : isGate(handle)
      routes.push({ methods: methodsOf(route), paths: paths.flatMap(namesOf), isGated })
    }
  }

  if (root) list(stackOf(root), [""], inner)
  return { routes, isWhole }
}

function methodsOf(route: Layer["route"]): ReadonlySet<string> | undefined {
  if (!route || route.methods._all) return undefined
  return new Set(Object.keys(route.methods).map((method) => method.toUpperCase()))
}

const pathsOf = ({ rawPath = "" }: Layer): readonly string[] =>
  (Array.isArray(rawPath) ? (rawPath as readonly Path[]) : [rawPath as Path]).map(textOf)

/** A regular expression has no name. */
const textOf = (path: Path): string => (typeof path === "string" ? path : "")

const withoutSlash = (text: string): string => text.replace(/\/+$/, "")

const join = (before: readonly string[], paths: readonly string[]): readonly string[] =>
  before.flatMap((each) => paths.map((path) => withoutSlash(each) + path))
