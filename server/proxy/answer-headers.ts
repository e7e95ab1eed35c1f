/** Reads the head of an upstream's answer: refuses misleading ones, and removes headers that only the issuer sets. */
import type { ProxiedService } from "../core/proxied-services.ts"
import type { Credentials } from "./credentials.ts"
import { hopByHop, isIssuersOwn } from "./header-names.ts"

export type UpstreamHeaders = Readonly<Record<string, string | string[] | undefined>>

export type AnswerPlace = {
  readonly service: ProxiedService
  readonly credentials: Credentials
  /** Of the request to the upstream. */
  readonly url: URL
  /** The path of the service at the issuer, such as `/weather`. */
  readonly mount: string
}

/** To a client these would ask for a payment or a login that is not the buyer's. */
const misleading: ReadonlySet<number> = new Set([401, 402, 407])

const addresses: ReadonlySet<string> = new Set(["location", "content-location"])

/** Undefined for an answer that is not passed on. */
export function answerHeaders(
  status: number,
  headers: UpstreamHeaders,
  place: AnswerPlace,
): Record<string, string | string[]> | undefined {
  if (misleading.has(status)) return undefined
  const named = new Set(
    valuesOf(headers.connection).flatMap((value) =>
      value.split(",").map((name) => name.trim().toLowerCase()),
    ),
  )
  const kept: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (isIssuersOwn(name) || hopByHop.has(name) || addresses.has(name)) continue
    if (named.has(name) && name !== "content-length") continue
    const clean = valuesOf(value).filter((each) => isSendable(each, place.credentials))
    if (clean.length > 0) kept[name] = clean.length === 1 ? (clean[0] ?? "") : clean
  }
  for (const name of addresses) {
    const [value] = valuesOf(headers[name])
    if (value === undefined) continue
    const moved = localAddress(value, place)
    if (moved !== undefined && isSendable(moved, place.credentials)) kept[name] = moved
    else if (name === "location" && status >= 300 && status < 400) return undefined
  }
  return kept
}

/** An upstream's page must not act as the issuer's, which shares the origin. */
export const guardHeaders = ({ browser }: ProxiedService): Readonly<Record<string, string>> => ({
  ...(!browser && { "content-security-policy": "sandbox" }),
  "x-content-type-options": "nosniff",
})

const valuesOf = (value: string | string[] | undefined): readonly string[] => [value ?? []].flat()

const isSendable = (value: string, { secrets }: Credentials): boolean =>
  /^[\t\x20-\x7e\x80-\xff]*$/.test(value) && !secrets.some((secret) => value.includes(secret))

/** The address at the issuer of an address below the base URL; undefined for any other. */
function localAddress(value: string, { service, url, mount }: AnswerPlace): string | undefined {
  if (!URL.canParse(value, url)) return undefined
  const target = new URL(value, url)
  const path = service.baseUrl.slice(url.origin.length)
  if (target.origin !== url.origin || !`${target.pathname}/`.startsWith(`${path}/`)) return undefined
  return `${mount}${target.pathname.slice(path.length) || "/"}${target.search}${target.hash}`
}
