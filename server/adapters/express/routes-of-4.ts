/** Finds routes under express 4 and the first routers of express 5, which forget the patterns of mounts. */
import type { Application, Request } from "express"
import type { NamedRoute, RoutePaths } from "../../gate/route-costs.ts"
import { type Layer, stackOf } from "./layers.ts"
import { nameOf } from "./route-names.ts"

/** The router of express 5 keeps them since its version 2.3. */
export const forgetsMounts = (app: Application | undefined): boolean =>
  app !== undefined && ("lazyrouter" in app || !stackOf(app).some((layer) => "rawPath" in layer))

/**
 * Undefined below a mount: a caller chooses how it spells the path of one, so a cost must not depend on it. A gate there
 * needs `{ units }`.
 */
export function findRouteOf4({ baseUrl, route }: Request): (RoutePaths & { pattern: string }) | undefined {
  const names = namesOf(route)
  const [pattern] = names
  return baseUrl === "" && pattern !== undefined ? { pattern, matched: names, all: names } : undefined
}

export function listRoutesOf4(
  app: Application,
  isGate: (handle: unknown) => boolean,
): { readonly routes: readonly (NamedRoute & { isGated: boolean })[]; readonly isWhole: boolean } {
  const stack = stackOf(app)
  return {
    routes: stack.flatMap(({ route }) => {
      if (!route) return []
      const methods = new Set(Object.keys(route.methods).map((method) => method.toUpperCase()))
      const isGated = route.stack.some(({ handle }) => isGate(handle))
      return [{ methods: route.methods._all ? undefined : methods, paths: namesOf(route), isGated }]
    }),
    isWhole: !stack.some(({ name, handle }) => name === "mounted_app" || "stack" in (handle as object)),
  }
}

function namesOf(route: Layer["route"]): readonly string[] {
  const paths: readonly unknown[] = Array.isArray(route?.path) ? route.path : [route?.path]
  return paths.filter((path) => typeof path === "string").map(nameOf)
}
