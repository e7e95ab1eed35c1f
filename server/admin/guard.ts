/** Checks a request to the admin address: its host, its origin and its token, before anything is read. */

import { Refusal } from "../../shared/refusals.ts"
import { isLoopback } from "../core/loopback.ts"
import type { AdminIdentity, AdminTokens } from "../ports/admin-tokens.ts"
import type { Rate } from "../ports/runtime.ts"
import { AdminRefusal } from "./refusals.ts"

export type GuardDeps = {
  readonly tokens: Pick<AdminTokens, "find">
  /** `Host` values accepted besides loopback. */
  readonly hosts: readonly string[]
  /** Requests by the name of their token. */
  readonly requests: Rate
  /** Requests without a valid token, of all callers together: they cannot delay those with one. */
  readonly failures: Rate
}

/** Resolves to the owner of the token; throws an {@link AdminRefusal}. */
export async function admit(request: Request, deps: GuardDeps): Promise<AdminIdentity> {
  requireHost(request, deps.hosts)
  requireOwnOrigin(request)
  const token = bearerOf(request)
  const identity = token === undefined ? undefined : deps.tokens.find(token)
  if (!identity) {
    await take(deps.failures, "failures")
    throw new AdminRefusal("token_wanted")
  }
  await take(deps.requests, identity.name)
  return identity
}

export const bearerOf = ({ headers }: Request): string | undefined =>
  /^bearer +(\S{1,512})$/i.exec(headers.get("authorization") ?? "")?.[1]

/** A page that lets its own name point to this machine (DNS rebinding) still sends that name as the host. */
function requireHost(request: Request, hosts: readonly string[]): void {
  const host = hostOf(request)
  if (!isLoopback(host.replace(/:[0-9]+$/, "")) && !hosts.includes(host))
    throw new AdminRefusal("foreign_host")
}

/**
 * Browsers send `Origin` with requests of other origins, and `Sec-Fetch-Site` with all requests; another port of this
 * machine is another origin. Programs send neither.
 */
function requireOwnOrigin(request: Request): void {
  const origin = request.headers.get("origin")
  const host = hostOf(request)
  const isOwn = origin === null || origin === `http://${host}` || origin === `https://${host}`
  const site = request.headers.get("sec-fetch-site") ?? "none"
  if (!isOwn || (site !== "none" && site !== "same-origin")) throw new AdminRefusal("foreign_origin")
}

const hostOf = (request: Request): string =>
  (request.headers.get("host") ?? new URL(request.url).host).toLowerCase()

async function take(rate: Rate, key: string): Promise<void> {
  try {
    await rate.take(key)
  } catch (error) {
    throw error instanceof Refusal ? new AdminRefusal("rate_limited") : error
  }
}
