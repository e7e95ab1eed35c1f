/** Composes the endpoints: the router with the token endpoint, the look-ups of a grant, documents and health. */
import { createGrantLookup } from "../access/grant-lookup.ts"
import { createIntrospection } from "../access/introspection.ts"
import { createReceipts } from "../access/receipt.ts"
import { createRevocation } from "../access/revocation.ts"
import { createStatus } from "../access/status.ts"
import type { Config } from "../config/config.ts"
import type { ClockSkew } from "../core/clock-skew.ts"
import { scopesOf } from "../core/offers.ts"
import { createHandleGate } from "../gate/handle-gate.ts"
import { supportedGrantTypes, type TokenEndpoint } from "../grants/token-endpoint.ts"
import { newNonce, nonceSeconds } from "../grants/wallet-nonce.ts"
import { endpointRoutes } from "../http/endpoints.ts"
import type { Endpoints } from "../http/metadata.ts"
import { createRate } from "../http/rate.ts"
import { createRouter, type Router } from "../http/router.ts"
import type { Keys } from "../ports/keys.ts"
import type { Store } from "../ports/store.ts"
import type { Feeds } from "./feeds.ts"
import type { GateParts } from "./gate.ts"
import type { Runtime } from "./runtime.ts"
import type { Shop } from "./sales.ts"

export function createRoutes(
  config: Config,
  deps: {
    readonly store: Store
    readonly keys: Keys
    readonly feeds: Feeds
    readonly shops: ReadonlyMap<string, Shop>
    readonly endpoint: TokenEndpoint
    readonly draining: () => boolean
    readonly gateParts: GateParts
    readonly clockSkew: () => ClockSkew
  },
  options: { readonly endpoints: Endpoints; readonly bodySeconds: number | undefined },
  { now, random, log }: Runtime,
): Router {
  const { store, keys, feeds, shops, endpoint, draining, gateParts, clockSkew } = deps
  const { keyFeed, revocations, whitelist, prices, noteEnded } = feeds
  const { gate, challenges, tally } = gateParts
  const { issuer, resource, resources } = config
  const names = { issuer, resources }
  const find = createGrantLookup({ store, keys, now }, names)
  const introspection = createIntrospection(
    { store, keys, revocations, whitelist, now },
    { ...names, clients: config.introspection },
  )
  return createRouter(
    endpointRoutes({
      ...names,
      ...options,
      resource,
      endpoint,
      status: createStatus(find),
      receipt: createReceipts({ find, store, keys, now }, issuer),
      introspection,
      isIntrospected: config.introspection.length > 0,
      revocation: createRevocation({ store, keys, whitelist, now, log, onEnded: noteEnded }, names),
      walletNonce: () => ({ nonce: newNonce(keys, random, now()), expires_in: nonceSeconds }),
      keys,
      revocations,
      now,
      prices,
      grantTypes: supportedGrantTypes,
      peers: createRate(config.limits.requestsPerPeer),
      x402v1: config.x402v1,
      gate: {
        handleGate: createHandleGate({ gate, challenges, tally, log }),
        challenges,
        resources,
        scopes: new Set(scopesOf([...config.offers, ...config.whitelist])),
      },
      health: {
        draining,
        storeAge: () => Math.max(revocations.age(), keyFeed.age()),
        sales: [...shops.values()].map(({ sale }) => sale),
        clockSkew,
        failedGas: () => store.failedGas({ now: now() }),
        suspendedCount: () => store.suspendedCount(),
        failedGasBudget: BigInt(config.limits.failedGas),
      },
    }),
    { log, now },
  )
}
