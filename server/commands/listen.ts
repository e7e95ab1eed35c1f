/** Listens on an address of the configuration, such as `127.0.0.1:8402`. */
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"

/** Rejects with the error of the system, such as EADDRINUSE. */
export function listen(server: Server, address: string): Promise<void> {
  const [, host = "", port = ""] = /^(.+):([0-9]+)$/.exec(address) ?? []
  return new Promise((resolve, reject) => {
    server.once("listening", resolve)
    server.once("error", reject)
    server.listen(Number(port), host.replace(/^\[|\]$/g, ""))
  })
}

export function urlOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`
}
