/** Defines the options of `createProxy`, and refuses senseless ones at the start. */
import { suggestName, unknownOptions } from "../../shared/values/option-names.ts"
import type { ProxiedService } from "../core/proxied-services.ts"

/** The call that a hook is asked about. */
export type ProxyContext = {
  readonly service: string
  /** As the configuration spells it, such as `GET /v1/forecast/:city`. */
  readonly route: string
  /** The id of the buyer's grant; undefined on a free route. */
  readonly grant: string | undefined
}

/** A request as the upstream will get it. Method and URL are fixed, because the price was theirs. */
export type UpstreamRequest = {
  readonly method: string
  readonly url: URL
  /** Final, with the credentials; a hook may change them. */
  readonly headers: Headers
  /** The whole body, for signatures over it. It is held in memory then, up to `maxBodyBytes`. */
  body(): Promise<Uint8Array>
}

/** The head of an upstream's answer, before the headers that the proxy sets itself. */
export type UpstreamAnswer = {
  readonly status: number
  /** A hook may change them. */
  readonly headers: Headers
}

export type ProxyHooks = {
  /** Runs last, before the request leaves. When it throws, nothing is sent and the call costs nothing. */
  readonly rewriteRequest?: (request: UpstreamRequest, context: ProxyContext) => void | Promise<void>
  readonly rewriteResponse?: (answer: UpstreamAnswer, context: ProxyContext) => void
}

export type ProxyOptions = {
  /** Hooks of the services of the configuration, by name. */
  readonly services?: Readonly<Record<string, ProxyHooks>>
  /** Where credentials with `env` are read, such as `process.env`; without it, none is found. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

const known = { services: true, environment: true } satisfies Record<keyof ProxyOptions, true>
const hooks = { rewriteRequest: true, rewriteResponse: true } satisfies Record<keyof ProxyHooks, true>

/** Throws a TypeError or RangeError that names the value found and the value wanted. */
export function requireProxyOptions(options: ProxyOptions, services: readonly ProxiedService[]): void {
  const [unknown] = unknownOptions("createProxy(): ", options, Object.keys(known))
  if (unknown !== undefined) throw new TypeError(unknown)
  const names = services.map(({ name }) => name)
  if (names.length === 0)
    throw new RangeError("createProxy(): found no services in the configuration, wanted at least one")
  for (const [name, given] of Object.entries(options.services ?? {})) {
    if (!names.includes(name))
      throw new RangeError(
        `createProxy(): found the service ${JSON.stringify(name)}, wanted one of the configuration${suggestName(name, names)}`,
      )
    const [wrong] = unknownOptions(`createProxy(): services.${name}: `, given, Object.keys(hooks))
    if (wrong !== undefined) throw new TypeError(wrong)
  }
}
