/** Finds the address that a request came from, as far as trusted proxies report it. */
import type { IncomingMessage } from "node:http"
import { isIP } from "node:net"
import proxyAddr from "proxy-addr"

const forwardedFor = "x-forwarded-for"

export function createPeerOf(
  trustProxy: readonly string[],
): (req: Pick<IncomingMessage, "socket" | "headers">) => string {
  const trusted = proxyAddr.compile([...trustProxy])
  return ({ socket, headers }) => {
    const remoteAddress = socket?.remoteAddress
    if (remoteAddress === undefined) return ""
    const addresses = addressesIn(String(headers[forwardedFor] ?? ""))
    const shown = { socket: { remoteAddress }, headers: { [forwardedFor]: addresses.join(", ") } }
    return proxyAddr(shown as unknown as IncomingMessage, trusted)
  }
}

/**
 * The addresses of `X-Forwarded-For` without ports and brackets: a port would make each connection a peer of its own. An
 * entry without an address hides all entries before it, because nobody trusted has written them.
 */
function addressesIn(header: string): readonly string[] {
  const addresses = header.split(",").map(addressOf)
  return addresses.slice(addresses.lastIndexOf(undefined) + 1).filter((each) => each !== undefined)
}

function addressOf(entry: string): string | undefined {
  const text = entry.trim()
  const [, bracketed] = /^\[([^\]]+)\](?::[0-9]{1,5})?$/.exec(text) ?? []
  const [, dotted] = /^([0-9.]+):[0-9]{1,5}$/.exec(text) ?? []
  const address = bracketed ?? dotted ?? text
  return isIP(address) === 0 ? undefined : address
}
