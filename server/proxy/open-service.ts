/** Opens a service of the configuration: its matcher, credentials, upstream and hooks. */
import type { Pool } from "undici"
import { ConfigError } from "../config/config.ts"
import type { ProxiedService } from "../core/proxied-services.ts"
import { createRate } from "../http/rate.ts"
import type { Rate } from "../ports/runtime.ts"
import { type Credentials, readCredentials } from "./credentials.ts"
import { createMatcher, type Matcher } from "./matcher.ts"
import type { ProxyHooks, ProxyOptions } from "./options.ts"
import { openUpstream } from "./upstream.ts"

export type OpenService = {
  readonly service: ProxiedService
  readonly match: Matcher
  readonly credentials: Credentials
  readonly pool: Pool
  readonly hooks: ProxyHooks
  /** Free calls by peer: they spend the seller's credentials. */
  readonly freeCalls: Rate
}

const freeWindowSeconds = 60

/** Throws {@link ConfigError}. */
export async function openService(service: ProxiedService, options: ProxyOptions): Promise<OpenService> {
  return {
    service,
    match: matcherOf(service),
    credentials: await readCredentials(service, options.environment ?? {}),
    pool: await openUpstream(service),
    hooks: options.services?.[service.name] ?? {},
    freeCalls: createRate(service.freeRequestsPerMinute, freeWindowSeconds),
  }
}

function matcherOf({ name, routes }: ProxiedService): Matcher {
  try {
    return createMatcher(routes)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new ConfigError([`services.${name}.routes: ${error.message}`])
  }
}
