/** Reads the layers of an express application, of version 4 and 5: the handlers that a request passes, in order. */
import type { Application } from "express"

export type Path = string | RegExp
export type Matched = { readonly path: string; readonly pattern: Path; readonly params: object }

/** A layer that express makes of `app.use` or `app.get`; the router of express 5 names patterns since 2.3. */
export type Layer = {
  readonly name: string
  readonly handle: unknown
  readonly rawPath?: Path | readonly Path[]
  readonly route?: {
    readonly path?: unknown
    readonly stack: readonly { readonly handle: unknown; readonly method?: string }[]
    readonly methods: Record<string, boolean>
  }
  /** Set by `match` where it returns true. */
  readonly path?: string
  match(path: string): boolean | Matched
}
export type Stack = readonly Layer[]

/** A handler on the way of a request. */
export type Handler = {
  readonly handle: unknown
  /** In capitals; undefined where every method reaches the handler. */
  readonly method: string | undefined
  /** The path of the route that the handler is part of. */
  readonly routePath: unknown
  /** The handler is an application whose layers cannot be seen from here. */
  readonly isHidden: boolean
}

/** From the outermost application to the one that handles the request. */
export function appsOf(app: Application | undefined): readonly Application[] {
  if (!app) return []
  const { parent } = app as { parent?: Application }
  return [...appsOf(parent), app]
}

/** Express 4 throws for `app.router`. */
export const stackOf = (app: Application): Stack => {
  const { _router } = app as unknown as { _router?: { stack: Stack } }
  return (_router ?? (app.router as unknown as { stack: Stack })).stack
}

/** The handlers that a request for the path passes, in order; all handlers where no path is given. */
export function* handlersOn(app: Application, path?: string): Generator<Handler> {
  const [root, ...inner] = appsOf(app)
  if (root) yield* handlersIn(stackOf(root), path, inner)
}

function* handlersIn(
  stack: Stack,
  path: string | undefined,
  apps: readonly Application[],
): Generator<Handler> {
  for (const layer of stack) {
    const prefix = path === undefined ? "" : prefixOf(layer, path)
    if (prefix === undefined) continue
    const { route, handle, name } = layer
    const inside = insideOf(layer, apps)
    if (route)
      for (const { handle, method } of route.stack)
        yield { handle, method: method?.toUpperCase(), routePath: route.path, isHidden: false }
    else if (inside) yield* handlersIn(inside.stack, path && restOf(path, prefix), inside.apps)
    else yield { handle, method: undefined, routePath: undefined, isHidden: name === "mounted_app" }
  }
}

/** The part of the path that the layer takes; undefined where it does not match. */
function prefixOf(layer: Layer, path: string): string | undefined {
  try {
    const matched = layer.match(path)
    if (typeof matched === "object") return matched.path
    return matched ? (layer.path ?? "") : undefined
  } catch {
    // The router passes a layer over whose parameters cannot be decoded.
    return undefined
  }
}

export const restOf = (path: string, prefix: string): string => {
  const rest = path.slice(prefix.length)
  return rest.startsWith("/") ? rest : `/${rest}`
}

/** The layers behind a layer, and the applications further in. */
export type Inside = { readonly stack: Stack; readonly apps: readonly Application[] }

/**
 * Of a router, of an application in a router, or of the next of `apps`, which `app.use` has wrapped. Undefined for plain
 * handlers, and for applications that are not on the way to the request.
 */
export function insideOf(layer: Layer, apps: readonly Application[]): Inside | undefined {
  const stack = stackIn(layer.handle)
  if (stack) return { stack, apps }
  const [next, ...rest] = apps
  if (!next || layer.name !== "mounted_app" || !isMountOf(layer, next)) return undefined
  return { stack: stackOf(next), apps: rest }
}

function stackIn(handle: unknown): Stack | undefined {
  const { stack } = handle as { stack?: Stack }
  if (stack) return stack
  const isApp = typeof handle === "function" && "handle" in handle && "set" in handle
  return isApp ? stackOf(handle as unknown as Application) : undefined
}

const isMountOf = (layer: Layer, { mountpath }: Application): boolean =>
  layer.rawPath === undefined
    ? [mountpath].flat().some((path) => prefixOf(layer, path) !== undefined)
    : String(mountpath) === String(layer.rawPath)
