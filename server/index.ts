/** Exports the server's public surface: everything a seller needs to charge for an API. */
export type { AdminHandler } from "./admin/handler.ts"
export { adminHandler } from "./app/admin.ts"
export { createIssuer, type Issuer } from "./app/issuer.ts"
export type { IssuerOptions } from "./app/issuer-options.ts"
export { ConfigError, type ConfigInput } from "./config/config.ts"
export type { PriceFunction, PriceFunctions, PriceQuestion } from "./core/pricing.ts"
export type { BeforeSale, Sale, SaleDecision } from "./core/sale.ts"
export type {
  EventHandler,
  LedgerEvent,
  Subscribe,
  SubscribeOptions,
  Subscription,
} from "./delivery/subscriptions.ts"
export { KeyFileError, type Signer } from "./keys/index.ts"
export type { Logger } from "./ports/runtime.ts"
export type {
  ProxyContext,
  ProxyHooks,
  ProxyOptions,
  UpstreamAnswer,
  UpstreamRequest,
} from "./proxy/options.ts"
export { createProxy, type ProxyListener } from "./proxy/proxy.ts"
