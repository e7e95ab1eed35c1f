/** The servers of the matrix; adding one is a file and a line here. */
import type { Server } from "../server.ts"
import { ticket402Gate, ticket402Office, ticket402WalkUp } from "./ticket402.ts"

export const servers: readonly Server[] = [ticket402WalkUp, ticket402Office, ticket402Gate]
