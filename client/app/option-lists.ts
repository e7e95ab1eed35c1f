/** The names of the client's options, to refuse any other. */
import type { OptionNames } from "../core/option-names.ts"
import type { ClientOptions } from "./options.ts"

export const clientNames: OptionNames<ClientOptions> = {
  account: true,
  budget: true,
  networks: true,
  allow: true,
  approve: true,
  expectedCalls: true,
  balances: true,
  payPerCall: true,
  tokenEndpoints: true,
  allowInsecureHttp: true,
  dpop: true,
  walletProof: true,
  store: true,
  onEvent: true,
  timeoutMs: true,
  resendSeconds: true,
  fetch: true,
  now: true,
  random: true,
  delay: true,
}
export const budgetNames: OptionNames<ClientOptions["budget"]> = {
  perPurchase: true,
  perDay: true,
  perOriginPerDay: true,
  perOrigin: true,
  perOffer: true,
  total: true,
  approveAbove: true,
}
export const allowNames: OptionNames<NonNullable<ClientOptions["allow"]>> = {
  origins: true,
  assets: true,
  recipients: true,
}
