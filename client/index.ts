/** `ticket402/client`: a `fetch` that buys access tokens within a budget. */
export type { Receipt } from "../shared/receipt.ts"
export { type Client, type ClientOptions, createClient } from "./client.ts"
export type { ErrorDetail, TicketErrorCode } from "./errors.ts"
export { BudgetRefusal, type BudgetRule, PolicyRefusal, type PolicyRule, TicketError } from "./errors.ts"
export type { ClientEvent } from "./events.ts"
export type { Fetch } from "./fetch.ts"
export { verifyReceipt } from "./receipt.ts"
export type { GrantSummary } from "./wallet.ts"
