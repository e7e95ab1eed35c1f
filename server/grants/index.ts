/** Lists the grant types of the token endpoint; a new one is a module and a line here. */
export * as clientCredentials from "./client-credentials.ts"
export * as payment from "./payment/payment-grant.ts"
export * as refreshToken from "./refresh-token.ts"
export * as tokenExchange from "./token-exchange.ts"
export * as walletProof from "./wallet-proof.ts"
