/** The documents by which a client finds its way: JWKS, RFC 8414 and RFC 9728. */
import { proofAlgorithms } from "../../shared/oauth/dpop.ts"
import {
  type AuthorizationServerMetadata,
  type ProtectedResourceMetadata,
  tokenEndpointAuthMethods,
  wellKnown,
} from "../../shared/oauth/messages.ts"
import { type Offer, scopesOf } from "../core/offers.ts"

/** Where everything is, as absolute URLs made from the configuration, never from a request's `Host`. */
export type Endpoints = {
  readonly token: string
  readonly status: string
  readonly walletNonce: string
  readonly introspection: string
  readonly revocation: string
  /** Where proxies and other servers ask for the gate's verdict; the form and the scope follow. */
  readonly gate: string
  readonly receipt: string
  readonly revocations: string
  readonly jwks: string
  readonly receiptJwks: string
  readonly authorizationServer: string
  readonly protectedResource: string
  readonly live: string
  readonly ready: string
}

export function endpointsOf(issuer: string, resource: string): Endpoints {
  return {
    token: `${issuer}/token`,
    status: `${issuer}/token/status`,
    walletNonce: `${issuer}/token/nonce`,
    introspection: `${issuer}/introspect`,
    revocation: `${issuer}/revoke`,
    gate: `${issuer}/gate`,
    receipt: `${issuer}/token/receipt`,
    revocations: `${issuer}/revocations`,
    jwks: `${issuer}/.well-known/jwks.json`,
    receiptJwks: `${issuer}/.well-known/receipt-jwks.json`,
    authorizationServer: wellKnown(issuer, "oauth-authorization-server"),
    protectedResource: wellKnown(resource, "oauth-protected-resource"),
    live: `${issuer}/health/live`,
    ready: `${issuer}/health/ready`,
  }
}

export type MetadataParts = {
  readonly offers: readonly Offer[]
  readonly grantTypes: readonly string[]
  /** Whether anybody may introspect. */
  readonly introspection: boolean
}

export const authorizationServerMetadata = (
  issuer: string,
  endpoints: Endpoints,
  { offers, grantTypes, introspection }: MetadataParts,
): AuthorizationServerMetadata => ({
  issuer,
  token_endpoint: endpoints.token,
  jwks_uri: endpoints.jwks,
  receipt_jwks_uri: endpoints.receiptJwks,
  grant_types_supported: [...grantTypes],
  token_endpoint_auth_methods_supported: [...tokenEndpointAuthMethods],
  gate_uri: endpoints.gate,
  revocations_uri: endpoints.revocations,
  revocation_endpoint: endpoints.revocation,
  revocation_endpoint_auth_methods_supported: [...tokenEndpointAuthMethods],
  ...(introspection && {
    introspection_endpoint: endpoints.introspection,
    introspection_endpoint_auth_methods_supported: tokenEndpointAuthMethods.filter((each) => each !== "none"),
  }),
  wallet_nonce_endpoint: endpoints.walletNonce,
  dpop_signing_alg_values_supported: [...proofAlgorithms],
  response_types_supported: [],
  scopes_supported: [...scopesOf(offers)],
})

export const protectedResourceMetadata = (
  issuer: string,
  resource: string,
  offers: readonly Offer[],
): ProtectedResourceMetadata => ({
  resource,
  authorization_servers: [issuer],
  scopes_supported: [...scopesOf(offers)],
  bearer_methods_supported: ["header"],
  dpop_signing_alg_values_supported: [...proofAlgorithms],
})
