/** Bounds for a Node HTTP server that faces strangers: Node's own are 60 s, 300 s and none. */
import type { Server, ServerOptions } from "node:http"
import { continueOnRead } from "./unread-body.ts"

export type HardenOptions = {
  /** Until the headers are there. */
  readonly headersTimeoutMs?: number
  /** Until the whole request is there. */
  readonly requestTimeoutMs?: number
  /** How long an idle connection is kept: longer than balancers keep theirs (60 s), or they send into a closed one. */
  readonly keepAliveTimeoutMs?: number
  /** Connections beyond this are closed unread. */
  readonly maxConnections?: number
}

/** For `createServer`: Node looks for late requests this often only, every 30 s by default. */
export const hardServerOptions = { connectionsCheckingInterval: 1000 } as const satisfies ServerOptions

/** Sets the bounds, and asks for a body only when a handler reads it; returns the same server. */
export function hardenServer<S extends Server>(server: S, options: HardenOptions = {}): S {
  server.headersTimeout = options.headersTimeoutMs ?? 10_000
  server.requestTimeout = options.requestTimeoutMs ?? 30_000
  server.keepAliveTimeout = options.keepAliveTimeoutMs ?? 65_000
  server.maxConnections = options.maxConnections ?? 10_000
  // By default Node drops header lines beyond 2,000 in silence, a second Authorization among them; 16 kB bound them anyway.
  server.maxHeadersCount = 0
  continueOnRead(server)
  return server
}
