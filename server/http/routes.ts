/** The route table of the ticket office: one row an endpoint. */
import { Refusal } from "../../shared/errors.ts"
import type { Logger } from "../ports.ts"
import { refusalResponse } from "./respond.ts"

export type Handler = (request: Request) => Response | Promise<Response>

export type Route = {
  readonly path: string
  readonly methods: readonly string[]
  readonly handle: Handler
}

export type Office = {
  /** Whether a path is one of the office's. */
  serves(path: string): boolean
  /** Always answers; never throws. */
  handle(request: Request): Promise<Response>
  /** For adapters: the answer where no web `Request` can be made of what arrived. */
  refuse(path: string, reason: "malformed" | "method_not_allowed"): Response
}

export function createOffice(routes: readonly Route[], log: Logger): Office {
  const byPath = new Map(routes.map((route) => [route.path, route]))

  async function answer(request: Request, route: Route | undefined): Promise<Response> {
    if (!route) throw new Refusal("not_found")
    const method = request.method === "HEAD" ? "GET" : request.method
    if (!route.methods.includes(method)) throw new Refusal("method_not_allowed")
    return route.handle(request)
  }

  return {
    serves: (path) => byPath.has(path),
    async handle(request) {
      const route = byPath.get(new URL(request.url).pathname)
      try {
        return await answer(request, route)
      } catch (error) {
        return refusalResponse(error, log, route?.methods)
      }
    },
    refuse: (path, reason) => refusalResponse(new Refusal(reason), log, byPath.get(path)?.methods),
  }
}
