/** Lists the routes of the service. */
import type { WalletNonce } from "../../shared/oauth/messages.ts"
import type { Proof } from "../access/grant-lookup.ts"
import type { Introspection } from "../access/introspection.ts"
import type { Revocation } from "../access/revocation.ts"
import type { PriceList } from "../feeds/price-list.ts"
import type { Revocations } from "../feeds/revocation-feed.ts"
import type { TokenEndpoint } from "../grants/token-endpoint.ts"
import type { Keys } from "../ports/keys.ts"
import type { Now, Rate } from "../ports/runtime.ts"
import { type GateEndpoint, gateRoutes } from "./forward-auth.ts"
import { createGrantHandler } from "./grant-owner.ts"
import { type HealthDeps, healthRoutes } from "./health.ts"
import { authorizationServerMetadata, type Endpoints, protectedResourceMetadata } from "./metadata.ts"
import { peerKey } from "./rate.ts"
import { json } from "./respond.ts"
import { createRevocationsHandler } from "./revocations.ts"
import type { Route } from "./router.ts"
import { createOffersHandler, createTokenHandler } from "./token-endpoint.ts"
import { createIntrospectionHandler, createRevocationHandler } from "./token-inspection.ts"
import { createTokenOffers } from "./token-offers.ts"

export type EndpointParts = {
  readonly issuer: string
  readonly resource: string
  /** Every audience for which tokens are sold, `resource` included. */
  readonly resources: readonly string[]
  readonly endpoints: Endpoints
  readonly endpoint: TokenEndpoint
  /** Read by the owner of a grant. */
  readonly status: (proof: Proof) => Promise<object>
  readonly receipt: (proof: Proof) => Promise<object>
  readonly keys: Pick<Keys, "jwks" | "receiptJwks" | "signRevocations" | "removed">
  readonly revocations: Pick<Revocations, "age" | "after" | "generation">
  readonly now: Now
  readonly walletNonce: () => WalletNonce
  readonly introspection: Introspection
  /** Whether anybody may introspect. */
  readonly isIntrospected: boolean
  readonly revocation: Revocation
  readonly prices: PriceList
  readonly grantTypes: readonly string[]
  /** Requests by peer, of all endpoints that look into the store. */
  readonly peers: Rate
  readonly bodySeconds: number | undefined
  readonly x402v1: boolean
  readonly health: HealthDeps
  readonly gate: GateEndpoint
}

export function endpointRoutes(parts: EndpointParts): readonly Route[] {
  const { issuer, resource, resources, endpoints, prices, peers, bodySeconds, health } = parts
  const { offers } = prices
  const { x402v1 } = parts
  const audiences = { issuer, resource, resources }
  const tokenOffers = createTokenOffers({ ...audiences, tokenEndpoint: endpoints.token, prices, x402v1 })
  const token = createTokenHandler(parts.endpoint, {
    prices,
    offers: tokenOffers,
    peers,
    draining: health.draining,
    bodySeconds,
    x402v1,
  })
  const metadata = authorizationServerMetadata(issuer, endpoints, {
    offers,
    grantTypes: parts.grantTypes,
    introspection: parts.isIntrospected,
  })
  const protectedResource = protectedResourceMetadata(issuer, resource, offers)
  return [
    {
      path: pathOf(endpoints.token),
      methods: ["POST"],
      sells: true,
      handle: token,
      show: createOffersHandler({ offers: tokenOffers, peers }),
    },
    { path: pathOf(endpoints.status), methods: ["GET"], handle: createGrantHandler(parts.status, peers) },
    { path: pathOf(endpoints.receipt), methods: ["GET"], handle: createGrantHandler(parts.receipt, peers) },
    {
      path: pathOf(endpoints.walletNonce),
      methods: ["POST"],
      handle: async (_request, { peer }) => {
        await peers.take(peerKey(peer))
        return json(200, parts.walletNonce())
      },
    },
    {
      path: pathOf(endpoints.introspection),
      methods: ["POST"],
      handle: createIntrospectionHandler(parts.introspection, { peers, bodySeconds }),
    },
    {
      path: pathOf(endpoints.revocation),
      methods: ["POST"],
      handle: createRevocationHandler(parts.revocation, { peers, bodySeconds }),
    },
    document(endpoints.jwks, () => parts.keys.jwks(), 30),
    document(endpoints.receiptJwks, () => parts.keys.receiptJwks(), 300),
    document(endpoints.authorizationServer, () => metadata, 300),
    document(endpoints.protectedResource, () => protectedResource, 300),
    {
      path: pathOf(endpoints.revocations),
      methods: ["GET"],
      handle: createRevocationsHandler(parts),
    },
    ...gateRoutes(pathOf(endpoints.gate), parts.gate),
    ...healthRoutes({ live: pathOf(endpoints.live), ready: pathOf(endpoints.ready) }, health),
  ]
}

const pathOf = (url: string): string => new URL(url).pathname

const document = (url: string, body: () => unknown, maxAge: number): Route => ({
  path: pathOf(url),
  methods: ["GET"],
  handle: () => json(200, body(), { "cache-control": `public, max-age=${maxAge}` }),
})
