/** Opens the admin address of `serve`. Of several processes on one machine, the first one has it. */
import { createServer } from "node:http"
import { adminListener } from "../adapters/express/admin-address.ts"
import { hardenServer, hardServerOptions } from "../adapters/harden.ts"
import type { Issuer } from "../app/issuer.ts"
import { codeOf } from "./config-file.ts"
import { listen, urlOf } from "./listen.ts"

export type AdminServer = {
  /** Undefined where `admin.listen` is not set or another process has its port. */
  readonly url: string | undefined
  close(): Promise<void>
}

const none: AdminServer = { url: undefined, close: async () => undefined }

/** Throws the error of the system for an address that this machine does not have. */
export async function openAdminServer(issuer: Issuer): Promise<AdminServer> {
  const address = issuer.config.admin.listen
  if (address === undefined) return none
  const server = hardenServer(createServer(hardServerOptions, adminListener(issuer)), { maxConnections: 256 })
  try {
    await listen(server, address)
  } catch (error) {
    if (codeOf(error) !== "EADDRINUSE") throw error
    issuer.log.warn({ listen: address }, "the admin address is taken, as by another process of this service")
    return none
  }
  return {
    url: urlOf(server),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // Streams have no end of their own.
      server.closeAllConnections()
      await closed
    },
  }
}
