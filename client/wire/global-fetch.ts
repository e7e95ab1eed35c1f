/** The global `fetch`: the default of clients, and, when installed, one that pays. */
import type { Fetch } from "../core/call.ts"
import { Ticket402Error } from "../core/errors.ts"
import { requireKnown } from "../core/option-names.ts"
import { originsOf, parseUrl } from "../core/origins.ts"

/** The fetch from before a client was installed; undefined while none is. */
let beneath: Fetch | undefined
let installed = 0

/**
 * Never the fetch of an installed client, which would pay for the 402 that another client or a verifier asks for.
 */
export const plainFetch: Fetch = (input, init) => (beneath ?? globalThis.fetch)(input, init)

export type InstallOptions = {
  /**
   * The origins whose calls go through the client, such as `"https://api.example.com"`; all others are left as they were.
   * Without it every call of the program keeps the client's rules: no redirects to other origins, bodies of 10 MiB at most.
   */
  readonly origins?: readonly string[]
}

/**
 * Replaces `globalThis.fetch` by the client's. Returns a function that restores the former one, in whatever order
 * several are removed. Throws a {@link Ticket402Error} `option_invalid`.
 */
export function installFetch(client: { readonly fetch: Fetch }, options: InstallOptions = {}): () => void {
  if (typeof globalThis.fetch !== "function")
    throw new Ticket402Error("option_invalid", "This runtime has no global fetch.")
  requireKnown(options, { origins: true })
  const origins = originsOf(options.origins)
  const before = globalThis.fetch
  let active = true
  const paying: Fetch = (input, init) => {
    const isOurs = active && (!origins || origins.has(urlOf(input)?.origin ?? ""))
    return (isOurs ? client.fetch : before)(input, init)
  }
  beneath ??= before
  installed++
  globalThis.fetch = paying
  return () => {
    if (!active) return
    active = false
    if (--installed === 0) beneath = undefined
    // A later wrapper may still call it; then it only passes calls on.
    if (globalThis.fetch === paying) globalThis.fetch = before
  }
}

/** The URL of fetch's argument; relative references are the page's. Undefined for an invalid one: fetch itself reports it. */
export function urlOf(input: string | URL | Request): URL | undefined {
  const page = parseUrl((globalThis as { location?: { href?: string } }).location?.href ?? "")
  return parseUrl(input instanceof Request ? input.url : String(input), page)
}
