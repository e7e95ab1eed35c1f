/** Finds the endpoint of an admin request in a table: one row an endpoint. */
import type { AdminRole } from "../core/admin-roles.ts"
import type { AdminIdentity } from "../ports/admin-tokens.ts"
import { AdminRefusal } from "./refusals.ts"

export type AdminCall = {
  readonly request: Request
  /** The segments that the path of the route names with a colon, decoded. */
  readonly parameters: Readonly<Record<string, string>>
  readonly identity: AdminIdentity
}

export type AdminRoute = {
  readonly method: "GET" | "POST"
  /** Such as `/api/payments/:key`. */
  readonly path: string
  readonly role: AdminRole
  readonly handle: (call: AdminCall) => Response | Promise<Response>
}

type FoundRoute = { readonly route: AdminRoute; readonly parameters: Readonly<Record<string, string>> }

/** Throws an {@link AdminRefusal} where the table has no such path or no such method. */
export function findRoute(routes: readonly AdminRoute[], request: Request): FoundRoute {
  const segments = new URL(request.url).pathname.split("/")
  const found = routes.flatMap((route) => {
    const parameters = parametersIn(route.path.split("/"), segments)
    return parameters ? [{ route, parameters }] : []
  })
  if (found.length === 0) throw new AdminRefusal("not_found")
  const match = found.find(({ route }) => route.method === request.method)
  if (!match) throw new AdminRefusal("method_not_allowed")
  return match
}

function parametersIn(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? ""
    if (part.startsWith(":")) parameters[part.slice(1)] = decoded(segment)
    else if (part !== segment) return undefined
  }
  return parameters
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new AdminRefusal("malformed", "found a path that is no UTF-8")
  }
}
