/** Single values of the configuration, each in its one normal spelling. */
import { isIP } from "node:net"
import { type Address, parseAddress, zeroAddress } from "../../shared/values/evm.ts"
import { isLoopback } from "../core/loopback.ts"
import { lostRecipientAt } from "../core/lost-recipients.ts"
import { show } from "./show.ts"

export class WrongValue extends Error {}

/** An issuer or resource identifier: compared byte for byte, so only its one normal spelling is taken. */
export function requireIdentifier(text: string, allowInsecureHttp: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:"))
    throw new WrongValue(`found ${show(text)}, wanted an http(s) URL`)
  if (url.search || url.hash || url.username || url.password)
    throw new WrongValue(`found ${show(text)}, wanted no query, fragment or credentials`)
  const normal = url.pathname === "/" ? url.origin : `${url.origin}${url.pathname}`
  if (text !== normal || normal.endsWith("/"))
    throw new WrongValue(`found ${show(text)}, wanted ${show(normal.replace(/\/+$/, ""))}`)
  if (url.protocol === "http:" && !allowInsecureHttp && !isLoopback(url.hostname))
    throw new WrongValue(`found http on ${url.hostname}, wanted https (or "allowInsecureHttp": true)`)
  return text
}

/** Compared byte for byte with what browsers send, so only that spelling is taken; never `*` or `null`. */
export function requireOrigin(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || url.origin !== text || !/^https?:$/.test(url.protocol))
    throw new WrongValue(`found ${show(text)}, wanted an origin such as "https://app.example.com"`)
}

/** Refuses a block of all addresses, with which every caller could choose the address that is counted. */
export function requireBlock(text: string): void {
  const [address = "", prefix, ...more] = text.split("/")
  const bits = isIP(address) === 6 ? 128 : 32
  const good = prefix === undefined || (/^[1-9][0-9]{0,2}$/.test(prefix) && Number(prefix) <= bits)
  if (isIP(address) === 0 || !good || more.length > 0)
    throw new WrongValue(`found ${show(text)}, wanted an address or a CIDR block such as "10.0.0.0/8"`)
}

/** Samples hold a placeholder for `payTo`, so the sentence says what to write in its place. */
export function requirePayTo(text: string): Address {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text))
    throw new WrongValue(
      `found ${show(text)}, wanted an address of your own that receives the money: 0x and 40 hex digits`,
    )
  const address = requireAddress(text)
  const lost = lostRecipientAt(address)
  if (lost)
    throw new WrongValue(`found ${lost}, wanted an address of your own: nobody can move money from there`)
  return address
}

export function requireAddress(text: string): Address {
  const address = parseAddress(text)
  if (!address || address === zeroAddress)
    throw new WrongValue(`found ${show(text)}, wanted an address of 20 bytes in hex with a right checksum`)
  return address
}
