/** Connects ticket402 to express: the gate before routes, the endpoints of the service, and bounds for its HTTP server. */

export type { GateOptions } from "../gate/gate-options.ts"
export { adminAddress } from "./express/admin-address.ts"
export { authorizationServer } from "./express/authorization-server.ts"
export { gate, type TokenClaims } from "./express/gate.ts"
export { type HardenOptions, hardenServer, hardServerOptions } from "./harden.ts"
