/** Connects to the upstream of a service, and checks the address that a connection reached. */
import ipaddr from "ipaddr.js"
import type { Pool } from "undici"
import { ConfigError } from "../config/config.ts"
import type { ProxiedService } from "../core/proxied-services.ts"
import { AddressRefused } from "./failures.ts"

const connectMilliseconds = 10_000
const mostConnections = 128

/** Throws {@link ConfigError} where the package is missing, or the base URL is an address that is never called. */
export async function openUpstream(service: ProxiedService): Promise<Pool> {
  const { Pool, buildConnector } = await loadUndici()
  const { origin, hostname } = new URL(service.baseUrl)
  const isAllowed = addressRule(hostname, service.allowPrivate)
  const literal = hostname.replace(/^\[|\]$/g, "")
  if (ipaddr.isValid(literal) && !isAllowed(literal))
    throw new ConfigError([
      `services.${service.name}.baseUrl: found a link-local address, wanted one that is not`,
    ])
  const connect = buildConnector({ timeout: connectMilliseconds })
  return new Pool(origin, {
    connections: mostConnections,
    pipelining: 1,
    headersTimeout: service.timeoutSeconds * 1000,
    bodyTimeout: service.idleSeconds * 1000,
    connect(options, callback) {
      connect(options, (error, socket) => {
        if (error) {
          callback(error, null)
          return
        }
        // The address of the connection, not of a look-up before it, which a name can answer anew each time.
        if (isAllowed(socket.remoteAddress ?? "")) {
          callback(null, socket)
          return
        }
        socket.destroy()
        callback(new AddressRefused("the upstream's name leads to an address that is not allowed"), null)
      })
    },
  })
}

/** An address or `localhost` in the base URL is its own permission; metadata services are link-local. */
export function addressRule(hostname: string, allowPrivate: boolean): (address: string) => boolean {
  const isLiteral = ipaddr.isValid(hostname.replace(/^\[|\]$/g, ""))
  return (address) => {
    if (!ipaddr.isValid(address)) return false
    const range = ipaddr.process(address).range()
    if (range === "linkLocal") return false
    if (isLiteral || allowPrivate || range === "unicast") return true
    return hostname === "localhost" && range === "loopback"
  }
}

async function loadUndici() {
  try {
    return await import("undici")
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error
    throw new ConfigError(["services need the package undici: npm i undici"])
  }
}
