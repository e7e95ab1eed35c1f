/** Limits the URLs that an agent may fetch from this machine: a stranger's text may have asked for them. */
import { lookup } from "node:dns/promises"
import { BlockList, isIPv6 } from "node:net"
import { CommandError } from "../cli/failures.ts"
import { parseUrl } from "../core/origins.ts"

/** Addresses of this machine, of its network, or of no host (RFC 6890). */
const inside = new BlockList()
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const)
  inside.addSubnet(network, prefix)
/** Only 2000::/3 is public, without its parts that wrap IPv4 addresses. */
const outside6 = new BlockList()
outside6.addSubnet("2000::", 3, "ipv6")
const wrapping6 = new BlockList()
wrapping6.addSubnet("2002::", 16, "ipv6")
wrapping6.addSubnet("2001::", 32, "ipv6")

const isPublic = (address: string): boolean =>
  isIPv6(address)
    ? outside6.check(address, "ipv6") && !wrapping6.check(address, "ipv6")
    : !inside.check(address)

export type Resolve = (host: string) => Promise<readonly string[]>

const resolveHost: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address)

/**
 * Reads the URL of a tool call: of an origin on the list, or, where there is no list, https on the public internet. The
 * name is resolved again when the request is made, so without a list a name that changes its address gets past this.
 */
export async function reachable(
  text: string,
  origins: readonly string[] | undefined,
  resolve: Resolve = resolveHost,
): Promise<URL> {
  const url = parseUrl(text)
  if (url?.username !== "" || url.password !== "")
    throw new CommandError("The URL is wrong: wanted a whole one, without a password in it.")
  if (origins) {
    if (origins.includes(url.origin)) return url
    throw refused(`the origin is not one of allow.origins: ${origins.join(", ")}`)
  }
  if (url.protocol !== "https:")
    throw refused("only https is fetched from origins that are not in allow.origins")
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const addresses = await resolve(host).catch(() => [])
  if (addresses.length === 0) throw new CommandError("The host of the URL has no address.", "unreachable")
  if (!addresses.every(isPublic)) throw refused("its address is not one of the public internet")
  return url
}

const refused = (why: string): CommandError =>
  new CommandError(`The URL may not be fetched: ${why}. Nothing was sent.`, "rule")
