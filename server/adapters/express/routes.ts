/** Finds routes in the layers of an express application: a caller chooses the spelling of a URL, and not its pattern. */
import type { Application, Request } from "express"
import type { NamedRoute, RoutePaths } from "../../gate/route-costs.ts"
import { nameOf, namesOf, namesWith } from "./route-names.ts"
import { findRouteOf4, forgetsMounts, listRoutesOf4 } from "./routes-of-4.ts"

type Path = string | RegExp
type Matched = { readonly path: string; readonly pattern: Path; readonly params: object }

/** A layer that express 5 makes of `app.use` or `app.get`; its router names patterns since 2.3. */
type Layer = {
  readonly name: string
  readonly handle: unknown
  readonly rawPath?: Path | readonly Path[]
  readonly route?: {
    readonly stack: readonly { readonly handle: unknown }[]
    readonly methods: Record<string, boolean>
  }
  match(path: string): boolean | Matched
}
type Stack = readonly Layer[]

export type FoundRoute = RoutePaths & {
  /** The matched pattern as a 402 names it. */
  readonly pattern: string
}

/** A layer on the way to the gate: the pattern that matched, and all that could have. */
type Step = { readonly matched: Matched; readonly layer: Layer }

/** The route at which the gate stands that now handles the request; undefined where the gate is called in another way. */
export function findRoute(req: Request, gate: unknown): FoundRoute | undefined {
  if (forgetsMounts(req.app)) return findRouteOf4(req)
  const apps = appsOf(req.app)
  const [root] = apps
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
    const inner = innerStack(layer, apps)
    const rest = path.slice(matched.path.length)
    const steps = inner && walk(inner, rest.startsWith("/") ? rest : `/${rest}`, isWanted, apps)
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
  const apps = appsOf(app)
  const routes: ListedRoute[] = []
  let isWhole = true

  function list(stack: Stack, before: readonly string[]): void {
    for (const layer of stack) {
      const paths = join(before, pathsOf(layer))
      const { route, handle } = layer
      const inner = innerStack(layer, apps)
      if (inner) list(inner, paths)
      else if (layer.name === "mounted_app") isWhole = false
      const isGated = route ? route.stack.some((each) => isGate(each.handle)) : isGate(handle)
      routes.push({ methods: methodsOf(route), paths: paths.flatMap(namesOf), isGated })
    }
  }

  if (apps[0]) list(stackOf(apps[0]), [""])
  return { routes, isWhole }
}

function methodsOf(route: Layer["route"]): ReadonlySet<string> | undefined {
  if (!route || route.methods._all) return undefined
  return new Set(Object.keys(route.methods).map((method) => method.toUpperCase()))
}

/** From the outermost application to the one that handles the request. */
function appsOf(app: Application | undefined): readonly Application[] {
  if (!app) return []
  const { parent } = app as { parent?: Application }
  return [...appsOf(parent), app]
}

const stackOf = (app: Application): Stack => (app.router as unknown as { stack: Stack }).stack

/** The layers behind a layer: of a router, of an application in a router, or of one that `app.use` has wrapped. */
function innerStack({ name, handle, rawPath }: Layer, apps: readonly Application[]): Stack | undefined {
  const { stack, router } = handle as { stack?: Stack; router?: { stack: Stack } }
  if (stack ?? router) return stack ?? router?.stack
  if (name !== "mounted_app") return undefined
  const mounted = apps.find(({ mountpath }) => String(mountpath) === String(rawPath))
  return mounted && stackOf(mounted)
}

const pathsOf = ({ rawPath = "" }: Layer): readonly string[] =>
  (Array.isArray(rawPath) ? (rawPath as readonly Path[]) : [rawPath as Path]).map(textOf)

/** A regular expression has no name. */
const textOf = (path: Path): string => (typeof path === "string" ? path : "")

const withoutSlash = (text: string): string => text.replace(/\/+$/, "")

const join = (before: readonly string[], paths: readonly string[]): readonly string[] =>
  before.flatMap((each) => paths.map((path) => withoutSlash(each) + path))
