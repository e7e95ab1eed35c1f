/** Answers requests to the admin address: checks the caller, finds the endpoint, and checks the role. */
import { hasRole } from "../core/admin-roles.ts"
import { refusalResponse } from "../http/respond.ts"
import type { AdminIdentity } from "../ports/admin-tokens.ts"
import type { Logger } from "../ports/runtime.ts"
import { admit, type GuardDeps } from "./guard.ts"
import { AdminRefusal, adminRefusalResponse } from "./refusals.ts"
import { type AdminRoute, findRoute } from "./routes.ts"

/** Always answers; never throws. */
export type AdminHandler = (request: Request) => Promise<Response>

export function createAdminHandler(
  deps: GuardDeps & { readonly log: Logger },
  routes: readonly AdminRoute[],
): AdminHandler {
  async function answer(request: Request): Promise<Response> {
    // First the caller: strangers do not learn which endpoints and payments there are.
    const identity = await admit(request, deps)
    const { route, parameters } = findRoute(routes, request)
    requireRole(identity, route)
    if (request.method === "POST") requireJson(request)
    return route.handle({ request, parameters, identity })
  }

  return async (request) => {
    try {
      return await answer(request)
    } catch (error) {
      if (!(error instanceof AdminRefusal)) return refusalResponse(error, deps.log)
      deps.log.info({ reason: error.reason }, "an admin request was refused")
      return adminRefusalResponse(error)
    }
  }
}

function requireRole({ role }: AdminIdentity, route: AdminRoute): void {
  if (!hasRole(role, route.role))
    throw new AdminRefusal("role_missing", `found ${role}, wanted ${route.role}`)
}

/** Forms of foreign pages can send every other type without asking first. */
function requireJson({ headers }: Request): void {
  const [type = ""] = (headers.get("content-type") ?? "").toLowerCase().split(";")
  if (type.trim() !== "application/json") throw new AdminRefusal("json_wanted")
}
