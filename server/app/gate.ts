/** Composes the gate: the check of tokens, the counting of units, and the answer 402. */
import type { Config } from "../config/config.ts"
import { type Challenges, createChallenges } from "../gate/challenges.ts"
import { createCors } from "../gate/cors.ts"
import { createGate, type Gate } from "../gate/gate.ts"
import { type CallTally, createHandleGate, type HandleGate } from "../gate/handle-gate.ts"
import { createMetering, type Metering } from "../gate/metering.ts"
import { createPayAtRoutes } from "../gate/pay-at-routes.ts"
import type { CheckProof } from "../gate/proof-check.ts"
import type { Endpoints } from "../http/metadata.ts"
import type { Router } from "../http/router.ts"
import { createCallTally, observedChallenges } from "../metrics/call-tally.ts"
import type { Keys } from "../ports/keys.ts"
import type { Metrics } from "../ports/metrics.ts"
import type { Store } from "../ports/store.ts"
import type { Feeds } from "./feeds.ts"
import type { Runtime } from "./runtime.ts"

export type GateParts = {
  readonly gate: Gate
  readonly challenges: Challenges
  readonly metering: Metering
  readonly tally: CallTally
}

export function createGateParts(
  { issuer, resource, limits, x402v1 }: Config,
  deps: {
    readonly store: Store
    readonly keys: Keys
    readonly feeds: Feeds
    readonly checkProof: CheckProof
    /** Names this process. */
    readonly holder: string
    readonly endpoints: Endpoints
    readonly metrics: Metrics
  },
  { now, log }: Runtime,
): GateParts {
  const { store, keys, checkProof, holder, endpoints, metrics } = deps
  const { keyFeed, revocations, whitelist, prices } = deps.feeds
  const metering = createMetering({ store, now, log }, { holder })
  return {
    metering,
    gate: createGate(
      { keys, keyFeed, revocations, whitelist, checkProof, metering, now },
      { issuer, resource, requestsPerToken: limits.requestsPerToken },
    ),
    challenges: observedChallenges(
      createChallenges({ issuer, resource, endpoints, prices, x402v1 }),
      metrics,
    ),
    tally: createCallTally(metrics),
  }
}

/** The gate for adapters, which also answers cross-origin requests and may take payments at the routes. */
export function createRouteGate(
  { cors, corsLists, payAtRoutes, x402v1 }: Config,
  { gate, challenges, tally }: GateParts,
  { router, endpoints }: { readonly router: Router; readonly endpoints: Endpoints },
  { log }: Runtime,
): HandleGate {
  const tokenEndpoint = endpoints.token
  return createHandleGate({
    gate,
    challenges,
    tally,
    log,
    cors: createCors({ cors, corsLists }),
    payAtRoutes: createPayAtRoutes({ ...router, tokenEndpoint, x402v1 }),
    paysEverywhere: payAtRoutes,
  })
}
