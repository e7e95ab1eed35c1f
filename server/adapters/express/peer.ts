/** Finds the address that a request came from, as far as trusted proxies report it. */
import type { Request } from "express"
import proxyAddr from "proxy-addr"

export function createPeerOf(trustProxy: readonly string[]): (req: Request) => string {
  const trusted = proxyAddr.compile([...trustProxy])
  return (req) => (req.socket.remoteAddress === undefined ? "" : proxyAddr(req, trusted))
}
