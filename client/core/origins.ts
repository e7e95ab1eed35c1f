/** The URL rules of the client: which addresses may be paid or may receive a token. */
import { PolicyRefusal, Ticket402Error } from "./errors.ts"

/** Hosts that cannot leave this machine, where plain http loses nothing. */
function isLoopback(url: URL): boolean {
  const host = url.hostname
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    host === "[::1]" ||
    /^127(?:\.[0-9]{1,3}){3}$/.test(host)
  )
}

/** https, or http where nobody listens (CLI-22). */
export const isPrivateEnough = (url: URL, allowInsecureHttp: boolean): boolean =>
  url.protocol === "https:" || (url.protocol === "http:" && (allowInsecureHttp || isLoopback(url)))

export function parseUrl(text: string, base?: URL): URL | undefined {
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}

/** Whether a request to `url` is for the resource: same origin, and the resource's path or one below it (CLI-12). */
export function isWithin(resource: URL, url: URL): boolean {
  if (resource.origin !== url.origin) return false
  const path = resource.pathname.replace(/\/+$/, "")
  return path === "" || url.pathname === path || url.pathname.startsWith(`${path}/`)
}

/** The resource identifier of a URL, as a token endpoint knows it: without a slash at its end. */
export const identifierOf = (resource: string): string => resource.replace(/\/$/, "")

/** The place that a 402 sells at, after the checks below. */
export type Place = {
  readonly resource: URL
  /** As the 402 spelled it; the nonce commits to these bytes. */
  readonly resourceText: string
  readonly tokenEndpoint: URL
}

/** The origins an option names; undefined when it is not given. Throws a {@link Ticket402Error} `option_invalid`. */
export function originsOf(texts: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return texts && new Set(texts.map(requireOrigin))
}

function requireOrigin(text: string): string {
  if (isOrigin(text)) return text
  throw new Ticket402Error("option_invalid", "The option origins is wrong.", {
    found: text,
    wanted: "an origin such as https://api.example.com",
  })
}

export const isOrigin = (text: string): boolean => parseUrl(text)?.origin === text

export type PlaceRules = {
  readonly allowInsecureHttp: boolean
  /** Token endpoints on other origins, by exact URL. */
  readonly tokenEndpoints: ReadonlySet<string>
}

/**
 * The token endpoint a 402 of `asked` may name. Resolved as a URL and never pasted together from text, so that
 * `@evil.com/token` stays a path and `//evil.com` is seen as the host that it is (CLI-05).
 */
export function tokenEndpointOf(text: string, asked: URL, rules: PlaceRules): URL {
  // An empty reference would be the asked page itself.
  const url = text === "" ? undefined : parseUrl(text, asked)
  const allowed = url && (url.origin === asked.origin || rules.tokenEndpoints.has(url.href))
  if (!url || !allowed || url.username !== "" || url.password !== "" || url.hash !== "") {
    throw new PolicyRefusal("token_endpoint_foreign", "The 402 sends the payment to another place.", {
      found: url?.origin ?? "no URL",
      wanted: oneName(url, asked) ?? `${asked.origin} or an entry of tokenEndpoints`,
    })
  }
  if (!isPrivateEnough(url, rules.allowInsecureHttp)) throw insecure(url)
  return url
}

/** Whether `asked` is the token endpoint that its 402 names: such a caller buys its token itself. */
export function isTokenEndpoint(tokenEndpoint: string, asked: URL): boolean {
  const endpoint = tokenEndpoint === "" ? undefined : parseUrl(tokenEndpoint, asked)
  return endpoint?.origin === asked.origin && endpoint.pathname === asked.pathname
}

/** The audience a 402 of `asked` may name: the asked origin, at or above the asked path. */
export function resourceOf(text: string, asked: URL): URL {
  const url = parseUrl(text)
  if (!url || !isWithin(url, asked) || url.username !== "" || url.password !== "")
    throw new PolicyRefusal("resource_foreign", "The 402 sells tokens for another resource.", {
      found: text,
      wanted: oneName(url, asked) ?? `a resource of ${asked.origin} that holds the path asked for`,
    })
  return url
}

/** Names the usual mistake: localhost and 127.0.0.1 are one machine and two origins. Undefined for any other. */
function oneName(found: URL | undefined, asked: URL): string | undefined {
  const isOneMachine = found && isLoopback(found) && isLoopback(asked) && found.port === asked.port
  if (!isOneMachine || found.hostname === asked.hostname) return undefined
  return `a call to ${found.origin}, because ${asked.hostname} and ${found.hostname} are two origins`
}

export const insecure = (url: URL): PolicyRefusal =>
  new PolicyRefusal("insecure_url", "Nothing is paid and no token is shown over plain http.", {
    found: url.origin,
    wanted: "https, or a loopback host",
  })
