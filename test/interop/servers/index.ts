/** The servers of the matrix; a new server is a file and a line here. */
import type { Server } from "../server.ts"
import { mppxEvm } from "./mppx.ts"
import { ticket402AtRoutes, ticket402Gate, ticket402TokenEndpoint } from "./ticket402.ts"
import { x402Express } from "./x402-express.ts"
import { x402ExpressV1 } from "./x402-express-v1.ts"

export const servers: readonly Server[] = [
  ticket402AtRoutes,
  ticket402TokenEndpoint,
  ticket402Gate,
  x402Express,
  x402ExpressV1,
  mppxEvm,
]
