/** Composes the admin address: tokens, limits and endpoints. */
import { accountRoutes } from "../admin/accounts-api.ts"
import { type ActionDeps, actionRoutes } from "../admin/actions.ts"
import { eventRoutes } from "../admin/events-api.ts"
import { type AdminHandler, createAdminHandler } from "../admin/handler.ts"
import { ledgerRoutes } from "../admin/ledger-api.ts"
import { metricsRoutes } from "../admin/metrics-api.ts"
import { type OverviewDeps, overviewRoutes } from "../admin/overview.ts"
import { paymentRoutes } from "../admin/payments-api.ts"
import { type Config, ConfigError } from "../config/config.ts"
import type { LedgerTail } from "../delivery/ledger-tail.ts"
import { createFeed } from "../feeds/feed.ts"
import { requireIssuer } from "../gate/gate-options.ts"
import { createRate } from "../http/rate.ts"
import { openAdminTokens } from "../keys/index.ts"
import type { Metrics } from "../ports/metrics.ts"
import type { Store } from "../ports/store.ts"
import type { Runtime } from "./runtime.ts"

/** Requests per 10 s. */
const requestsPerToken = 1000
const failedRequests = 100

/** Undefined without `admin.tokens`. Throws KeyFileError for a token file that cannot be trusted. */
export async function createAdmin(
  { admin, limits }: Config,
  deps: { readonly store: Store; readonly tail: LedgerTail; readonly metrics: Pick<Metrics, "text"> } & Pick<
    ActionDeps,
    "onEnded" | "onRetried"
  > &
    Pick<OverviewDeps, "networks">,
  { now, log, own }: Runtime,
): Promise<AdminHandler | undefined> {
  if (admin.tokens.length === 0) return undefined
  const tokens = await openAdminTokens(admin.tokens, { log })
  const feed = createFeed({ now, log }, { name: "the admin tokens", read: tokens.refresh })
  own(feed, feed)
  const guard = {
    tokens,
    hosts: admin.hosts,
    requests: createRate(requestsPerToken),
    failures: createRate(failedRequests),
  }
  return createAdminHandler({ ...guard, log }, [
    ...overviewRoutes({ ...deps, limits, now }),
    ...ledgerRoutes(deps.store),
    ...eventRoutes({ ...deps, tokens }),
    ...accountRoutes({ ...deps, now }),
    ...metricsRoutes(deps.metrics),
    ...paymentRoutes(deps.store),
    ...actionRoutes({ ...deps, now }),
  ])
}

/**
 * Returns the handler of the admin API for a web `Request`, to be mounted at an address of its own. Throws a ConfigError
 * without `admin.tokens`.
 */
export function adminHandler(issuer: { readonly admin: AdminHandler | undefined }): AdminHandler {
  requireIssuer(issuer, "adminHandler()")
  if (issuer.admin) return issuer.admin
  throw new ConfigError(["admin.tokens: found none, wanted at least one token for adminHandler()"])
}
